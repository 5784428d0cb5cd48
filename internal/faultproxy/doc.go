// Package faultproxy is a test tool: a TCP proxy on loopback that stands before a real agent and breaks its connections on demand, and an
// Agent that speaks the job protocol and counts what it was made to do. Tests, benchmarks and the demo import it, the server never.
//
// A Proxy does not parse HTTP. It takes the first bytes of a connection, and the first bytes after an answer has begun, as the begin of
// a request, which holds for HTTP/1.1 clients that do not pipeline. What befalls a request is decided at its begin by the Fault that is
// set then. Faults of the transport are in fault.go; faults that need HTTP (statuses, headers) are in the Agent's Behaviour.
//
//	p, err := faultproxy.New(agentAddr, seed)
//	defer p.Close()
//	err = p.Set(faultproxy.Fault{Mode: faultproxy.ResetAnswer, After: 20})
//	// call p.URL()
package faultproxy
