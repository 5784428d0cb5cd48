// Package inprocrt is the runtime that hosts agents inside this process: those of knowledge packets, which need no code of their own, and Go
// handlers that the embedding program registered, like agents of the SDK package agent.
//
// All instances share one loopback listener, which is made when the first one starts: jobs for an instance go to
// http://127.0.0.1:PORT/<instance id>/query, and its other paths (/health, /collaborate, ...) are beside it. An instance that nobody asks
// is some data and nothing else: it has no goroutine, no timer and no connection.
//
// Start reading at Runtime, then host.go for the way of a request to its instance. The knowledge agent stands for itself (KnowledgeAgent, in
// knowledge.go): it is an http.Handler, which the command that serves one packet in a container uses too.
package inprocrt
