package agent_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"

	"github.com/myriad-mind/myriad/agent"
	"github.com/myriad-mind/myriad/client"
)

// An agent is a name, handlers, and an address.
func Example() {
	greeter := agent.New("Greeter").
		Handle("greeting", "define", func(context.Context, agent.Job) (any, error) {
			return "a polite word at meeting", nil
		}).
		Handle("greeting", "translate", agent.Func(func(_ context.Context, args struct{ To string }) (string, error) {
			words := map[string]string{"de": "guten Tag", "fr": "bonjour"}
			if word, ok := words[args.To]; ok {
				return word, nil
			}
			return "", agent.Callerf("no greeting in %q", args.To)
		}))

	srv := httptest.NewServer(greeter) // greeter.ListenAndServe(ctx, "127.0.0.1:5001") in real life
	defer srv.Close()
	for _, args := range []string{`{"to": "fr"}`, `{"to": "tlh"}`} {
		res, err := http.Post(srv.URL+"/query", "application/json",
			strings.NewReader(`{"task_id": 1, "concept": "greeting", "intent": "translate", "args": `+args+`}`))
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Printf("%d %s", res.StatusCode, body)
	}
	// Output:
	// 200 {"agent_name":"Greeter","data":"bonjour","status":"success"}
	// 400 {"agent_name":"Greeter","data":"no greeting in \"tlh\"","status":"error"}
}

// A whole program: it serves until it is interrupted, and a server knows it while it does.
func ExampleAgent_RegisterWith() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	server, err := client.New(client.Config{Server: "http://127.0.0.1:5000"})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = agent.New("Clock").
		Handle("time", "lookup", func(context.Context, agent.Job) (any, error) { return "noon", nil }).
		RegisterWith(server, agent.Registration{Leave: true}).
		ListenAndServe(ctx, "127.0.0.1:5001")
	if err != nil {
		fmt.Println(err)
	}
}
