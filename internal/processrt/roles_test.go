package processrt

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/myriad-mind/myriad/agent"
)

// roleVariable makes the test's executable play one of the roles.
const roleVariable = "MYRIAD_TEST_ROLE"

// testJob is what the roles read of a job.
type testJob struct {
	TaskID json.RawMessage `json:"task_id"`
	Args   testArgs        `json:"args"`
	raw    json.RawMessage // of args
}

type testArgs struct {
	SleepMS int    `json:"sleep_ms"` // first of all
	NapMS   int    `json:"nap_ms"`   // after what is said
	Crash   bool   `json:"crash"`
	Line    string `json:"line"`
	Times   int    `json:"times"`
	Do      string `json:"do"`
}

// play is a program that a test runs as an agent. Roles of the modes stdio and exec begin with their mode.
func play(role string) {
	roles := map[string]func(){
		"stdio": playStdio, "exec": playExec, "http": playHTTP, "http deaf": func() { signal.Ignore(syscall.SIGTERM); playHTTP() },
		"stdio greeter":   func() { fmt.Println(`{"hello":"world"}`); time.Sleep(300 * time.Millisecond); playStdio() },
		"dead on arrival": func() { fmt.Fprintln(os.Stderr, "dead on arrival"); os.Exit(3) },
		"never ready":     func() { time.Sleep(time.Hour) },
		"imposter":        playImposter,
		"open listener":   func() { _ = http.ListenAndServe(":"+os.Getenv("PORT"), http.NotFoundHandler()) },
		"wrong port":      playWrongPort,
		"stdio deaf":      func() { signal.Ignore(syscall.SIGTERM); playStdio(); time.Sleep(time.Hour) },
		"exec deaf":       func() { signal.Ignore(syscall.SIGTERM); playExec() },
		"holder":          func() { signal.Ignore(syscall.SIGTERM, syscall.SIGHUP); time.Sleep(time.Hour) },
		"fork bomb":       playForkBomb,
		"host":            playHost,
	}
	roles[role]()
}

func readTestJob(line []byte) (j testJob) {
	if err := json.Unmarshal(line, &j); err != nil {
		fmt.Fprintf(os.Stderr, "no job: %v\n", err)
		os.Exit(4)
	}
	var args struct {
		Args json.RawMessage `json:"args"`
	}
	_ = json.Unmarshal(line, &args)
	j.raw = args.Args
	return j
}

func playStdio() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		answerLine(readTestJob(line))
	}
}

// answerLine does what a job asks for and answers it with its args.
func answerLine(j testJob) {
	perform(j.Args)
	say := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	switch j.Args.Do {
	case "":
		say(`{"task_id":%s,"status":"success","data":%s}`, j.TaskID, j.raw)
	case "value":
		say(`[1,"two"]`)
	case "pid":
		say(`{"data":{"pid":%d}}`, os.Getpid())
	case "environ":
		raw, _ := json.Marshal(os.Environ())
		say(`{"data":%s}`, raw)
	case "garbage":
		say(`hello`)
	case "empty line":
		say(``)
	case "long":
		fmt.Println(`"` + strings.Repeat("x", maxAnswer+10) + `"`)
	case "endless":
		for {
			fmt.Print(strings.Repeat("x", 1<<16))
		}
	case "other task":
		say(`{"task_id":"another","status":"success","data":1}`)
	case "two lines":
		say("1\n2")
	case "late line":
		say(`{"data":"first"}`)
		time.Sleep(30 * time.Millisecond)
		say(`{"data":"late"}`)
	case "late line, then busy":
		say(`{"data":"first"}`)
		time.Sleep(30 * time.Millisecond)
		say(`{"data":"late"}`)
		time.Sleep(time.Second)
	case "hang":
		time.Sleep(time.Hour)
	case "close":
		_ = os.Stdout.Close()
		time.Sleep(time.Hour)
	case "leave":
		say(`{"data":%d}`, os.Getpid())
		os.Exit(0)
	case "grandchild":
		say(`{"data":%d}`, startGrandchild())
	case "grandchild and leave":
		fmt.Printf("%d", startGrandchild())
		os.Exit(0)
	case "escape":
		say(`{"data":%d}`, startEscapee())
	case "escape and leave":
		fmt.Printf("%d", startEscapee())
		os.Exit(0)
	case "memory":
		hog()
		say(`{"data":"never"}`)
	case "fork bomb":
		playForkBomb()
	}
}

func perform(a testArgs) {
	if a.SleepMS > 0 {
		time.Sleep(time.Duration(a.SleepMS) * time.Millisecond)
	}
	if a.Line != "" {
		for range max(a.Times, 1) {
			fmt.Fprintln(os.Stderr, a.Line)
		}
	}
	time.Sleep(time.Duration(a.NapMS) * time.Millisecond)
	if a.Crash {
		fmt.Fprintln(os.Stderr, "crashing as asked")
		os.Exit(7)
	}
}

func ownPath() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// startGrandchild starts a process in a session of its own that keeps this one's pipes and ignores being asked to end.
func startGrandchild() int {
	cmd := exec.Command(ownPath())
	cmd.Env = append(os.Environ(), roleVariable+"=holder")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	ownSession(cmd)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(5)
	}
	return cmd.Process.Pid
}

// startEscapee starts a process that is nobody's child, in a session of its own, with nothing in its environment and none of this one's pipes.
func startEscapee() int {
	out, err := exec.Command("sh", "-c", `setsid sh -c 'echo $$; exec env -i sleep 1000 >/dev/null 2>&1' </dev/null 2>/dev/null &`).Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(5)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(5)
	}
	for { // until it has shed its environment
		if env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err != nil || len(env) == 0 {
			return pid
		}
		time.Sleep(time.Millisecond)
	}
}

// hog uses memory until it is killed.
func hog() {
	var kept [][]byte
	for range 4096 {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = byte(i)
		}
		kept = append(kept, b)
		time.Sleep(time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "nobody stopped me at", len(kept), "MiB")
}

// playForkBomb starts as many of itself as it may. It refuses outside of a cgroup that bounds it.
func playForkBomb() {
	if os.Getenv("MYRIAD_TEST_BOUNDED") != "yes" {
		fmt.Fprintln(os.Stderr, "no pids limit")
		os.Exit(6)
	}
	failed := 0
	for range 500 {
		cmd := exec.Command(ownPath())
		cmd.Env = append(os.Environ(), roleVariable+"=holder")
		ownSession(cmd)
		if err := cmd.Start(); err != nil {
			failed++
		}
		if failed > 20 {
			break
		}
	}
	fmt.Printf(`{"data":"%d starts failed"}`+"\n", failed)
}

func playExec() {
	line, err := bufio.NewReader(os.Stdin).ReadBytes('\n')
	if err != nil {
		os.Exit(4)
	}
	switch j := readTestJob(line); j.Args.Do {
	case "text":
		fmt.Println("just text")
	case "silent":
	case "fail":
		fmt.Fprintln(os.Stderr, "first complaint")
		fmt.Fprintln(os.Stderr, "the last word")
		fmt.Println(`{"data":"half done"}`)
		os.Exit(9)
	default:
		answerLine(j)
	}
}

func playHTTP() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if !signal.Ignored(syscall.SIGTERM) {
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGTERM)
		defer stop()
	}
	err := agent.New(os.Getenv("MYRIAD_AGENT")).Handle(agent.Any, agent.Any, func(_ context.Context, job agent.Job) (any, error) {
		j := readTestJob(job.Body)
		perform(j.Args)
		switch j.Args.Do {
		case "environ":
			return os.Environ(), nil
		case "grandchild":
			return startGrandchild(), nil
		case "escape":
			return startEscapee(), nil
		case "memory":
			hog()
		}
		return j.raw, nil
	}).ListenAndServe(ctx, "")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// playImposter answers /health for somebody else.
func playImposter() {
	_ = http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"healthy","nonce":"of another instance"}`)
	}))
}

// playWrongPort listens, but not where it was told to.
func playWrongPort() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		os.Exit(1)
	}
	fmt.Println("listening at", ln.Addr())
	_ = http.Serve(ln, http.NotFoundHandler())
}
