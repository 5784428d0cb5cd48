// Package agent is the SDK for agents of Myriad: small HTTP services that answer jobs stated as a concept and an intent.
//
//	err := agent.New("Greeter").
//		Handle("greeting", "define", func(ctx context.Context, job agent.Job) (any, error) {
//			return "a polite word at meeting", nil
//		}).
//		ListenAndServe(ctx, "127.0.0.1:5001")
//
// An Agent is an http.Handler for POST /query (the job protocol myriad-http/1), GET /health and, when it has a Collaborator, POST
// /collaborate. Start reading at Agent, then query.go for the way of a job, then serve.go for its life.
package agent
