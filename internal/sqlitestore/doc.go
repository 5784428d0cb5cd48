// Package sqlitestore is the embedded store: the knowledge graph, the packets of dormant agents, run records and last good answers in one
// SQLite file, in one data directory that one process holds at a time.
//
// Graph writes are transactions of their own. Run records and last good answers are written behind, in batches, by Store.Run, and never slow
// down whoever hands them over. Start reading at open.go, then agents.go for the graph and behind.go for the rest.
package sqlitestore
