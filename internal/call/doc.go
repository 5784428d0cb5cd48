// Package call is the only way to reach an agent. A Caller carries one task out by one of its candidates: policy (whether, where, how
// often, how long) on one side, protocols (what an exchange looks like on the wire) on the other, and between them one table that says
// what every way an exchange can end comes to.
//
// Start reading at chain.go, where the policies are stacked; then outcome.go, the table; then http.go, the protocol of agents. Retries
// are in retry.go, hedges in hedge.go, breakers and slots in guard.go; transport.go holds the pool of connections.
package call
