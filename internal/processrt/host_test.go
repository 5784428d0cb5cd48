package processrt

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/myriad-mind/myriad"
)

// hosting is what a program in the role "host" is told and tells.
type hosting struct {
	Dir       string
	Owner     string
	NoCgroups bool
	PIDs      []int // of all that it started
	Escaped   []int // of those that shed it
}

// playHost is a server with instances of every mode, that a test kills.
func playHost() {
	var h hosting
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fail(json.Unmarshal([]byte(os.Getenv("MYRIAD_TEST_HOSTING")), &h))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := New(Config{Dir: h.Dir, NoCgroups: h.NoCgroups, Logger: slog.New(slog.DiscardHandler)})
	fail(err)
	for _, c := range []struct{ mode, role, job string }{
		{myriad.ModeHTTP, "http deaf", `{"do":"grandchild"}`}, {myriad.ModeStdio, "stdio deaf", `{"do":"grandchild"}`}, {myriad.ModeExec, "exec", ""},
	} {
		i, err := r.Start(ctx, myriad.StartRequest{
			InstanceID: fresh("i"), OwnerID: h.Owner, Packet: command(c.mode, c.role), Limits: roomy, Nonce: "n",
		})
		fail(err)
		for i.Ready(ctx) != nil {
			fail(ctx.Err())
			time.Sleep(time.Millisecond)
		}
		if c.job == "" {
			go func() { _, _ = try(ctx, i, `{"do":"hang"}`) }()
			continue
		}
		_, err = try(ctx, i, c.job)
		fail(err)
		a, err := try(ctx, i, `{"do":"escape"}`)
		fail(err)
		h.Escaped = append(h.Escaped, int(a.data().(float64)))
	}
	var pids []int
	for len(pids) < 5 { // three children, two grandchildren
		fail(ctx.Err())
		pids = ownerPIDs(h.Owner)
		time.Sleep(time.Millisecond)
	}
	h.PIDs = pids
	fail(json.NewEncoder(os.Stdout).Encode(h))
	time.Sleep(time.Minute)
}
