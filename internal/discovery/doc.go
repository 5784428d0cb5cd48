// Package discovery finds who may answer: it turns a concept and an intent into ranked candidates, from a bounded view of the graph that is
// read once per concept, shared by all who ask, and renewed after writes. Start reading at Find in directory.go; cache.go bounds the
// views, flight.go fills them, rank.go is the order, writes.go the way in for agents, and pending.go what becomes of writes while the graph does not
// answer.
package discovery
