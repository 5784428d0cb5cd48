package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// A plan states what is to be done, by capability; who does it is the server's business.
func ExamplePlan() {
	plan := new(client.Plan).Add(
		client.Task{ID: "what", Concept: "lightbulb", Intent: "define"},
		client.Task{
			ID: "answer", Concept: "lightbulb", Intent: "synthesize_response", DependsOn: []string{"what"},
			Args: map[string]any{"about": client.Ref("what", "data")},
		},
	)
	out, err := json.MarshalIndent(plan, "", " ")
	fmt.Println(string(out), err)
	// Output:
	// {
	//  "tasks": [
	//   {
	//    "task_id": "what",
	//    "concept": "lightbulb",
	//    "intent": "define"
	//   },
	//   {
	//    "task_id": "answer",
	//    "concept": "lightbulb",
	//    "intent": "synthesize_response",
	//    "args": {
	//     "about": "${tasks.what.data}"
	//    },
	//    "dependencies": [
	//     "what"
	//    ]
	//   }
	//  ]
	// } <nil>
}

// Run waits for the whole run; its results are in the order of the plan.
func ExampleClient_Run() {
	srv := httptest.NewServer(&script{answers: []http.HandlerFunc{reply(200, // stands for a server
		`{"run_id":"0197-1","status":"success","results":{"what":{"task_id":"what","status":"success","agent_name":"Lamp","data":"it glows","succeeded":true,"provenance":{"source":"live"}}}}`)}})
	defer srv.Close()
	c, err := client.New(client.Config{Server: srv.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	run, err := c.Run(context.Background(), client.Plan{Tasks: []client.Task{{ID: "what", Concept: "lightbulb", Intent: "define"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(run.Status, run.Results[0].TaskID, string(run.Results[0].Answer.Data))
	// Output: success what "it glows"
}

// Import brings agents to a server: here a script, which the server runs when a task needs it. That needs the server's token.
func ExampleClient_Import() {
	srv := httptest.NewServer(&registry{agents: map[string]myriad.Agent{}}) // stands for a server
	defer srv.Close()
	c, err := client.New(client.Config{Server: srv.URL, Token: "the-token-of-the-data-directory"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	summarize := myriad.Agent{Name: "summarize", Concepts: []string{"text"}, Intents: []string{"summarize"},
		Template: &myriad.Template{Kind: myriad.TemplateCommand, Command: []string{"python3", "summarize.py"}, Dir: "/srv/agents"}}
	for range 2 {
		done, err := c.Import(context.Background(), []myriad.Agent{summarize}, client.ImportOptions{})
		fmt.Printf("%+v %v\n", done, err)
	}
	// Output:
	// {Created:1 Replaced:0 Unchanged:0} <nil>
	// {Created:0 Replaced:0 Unchanged:1} <nil>
}
