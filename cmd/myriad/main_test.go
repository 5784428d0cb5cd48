package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// roleEnv makes the test's executable play a role instead of running tests.
const roleEnv = "TEST_MYRIAD_ROLE" // not ours by its name: a server takes no unknown MYRIAD_ variables

// roles are what it can play; platforms add theirs.
var roles = map[string]func(){"myriad": playMyriad, "stdio": playStdio, "http": playHTTP}

// TestMain makes the test's executable three things: the program itself, agents for it to run, and the tests.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		roles[role]()
		return
	}
	os.Exit(m.Run())
}

func playMyriad() {
	os.Unsetenv(roleEnv) // which is no variable of the program's
	main()
}

// playedJob is what the agents of tests read of a job.
type playedJob struct {
	TaskID  json.RawMessage `json:"task_id"`
	Concept string          `json:"concept"`
	Args    struct {
		Hold string `json:"hold"` // a URL that is asked before the answer, and answers when the job may end
		Exit bool   `json:"exit"` // end after the answer
	} `json:"args"`
}

// answer does what the job asks for. The data say who answered.
func (j playedJob) answer() string {
	if j.Args.Hold != "" {
		resp, err := http.Get(j.Args.Hold) //nolint:noctx // the test ends the wait
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(5)
		}
		resp.Body.Close()
	}
	raw, _ := json.Marshal(map[string]any{"status": "success", "agent_name": os.Getenv("MYRIAD_AGENT"),
		"data": map[string]any{"pid": os.Getpid(), "instance": os.Getenv("MYRIAD_INSTANCE"), "concept": j.Concept, "says": os.Getenv("SAYS")}})
	return string(raw)
}

// playStdio answers a job per line.
func playStdio() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var j playedJob
		if err := json.Unmarshal(line, &j); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(4)
		}
		fmt.Println(j.answer())
		if j.Args.Exit {
			os.Exit(7)
		}
	}
}

// playHTTP serves jobs at $PORT.
func playHTTP() {
	srv := &http.Server{}
	ended := make(chan struct{})
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/health") {
			fmt.Fprintf(w, `{"status":"healthy","nonce":%q}`, os.Getenv("MYRIAD_NONCE"))
			return
		}
		if strings.HasSuffix(r.URL.Path, "/collaborate") {
			fmt.Fprintf(w, `{"status":"success","data":{"primary_knowledge":%q,"confidence":0.9}}`, os.Getenv("SAYS"))
			return
		}
		var j playedJob
		if err := json.NewDecoder(r.Body).Decode(&j); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, j.answer())
		if j.Args.Exit {
			go func() {
				_ = srv.Shutdown(context.Background()) // the answer is out when it returns
				close(ended)
			}()
		}
	})
	if err := srv.Serve(onPort()); err != http.ErrServerClosed {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(6)
	}
	<-ended
	os.Exit(7)
}

func onPort() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(6)
	}
	return l
}
