// Package lifecycle governs the fleet: which agents are awake, never more than the limits allow, woken by who needs them and put to sleep when
// nobody does. Packets say what could run, a myriad.Runtime runs it, and the Manager alone knows what does run.
//
// # An instance's life
//
// Every instance has one goroutine, its life (life.go), which does all that takes time: it waits for room, starts the instance through its
// runtime, watches it, starts it again after a crash, and ends it. Others only ever ask for the end (halt in stop.go). An instance of this process
// cannot end by itself, so there is nothing to watch: its life pauses while it is ready, and thousands that are awake are no goroutines.
//
//	Wake ── awake already ─────────────────────────────────────────────> done, pinned
//	  └──── one flight per agent: an instance, and the askers that wait for it
//	          enter   read the packet, take a permit, or wait in the queue       queued    queue.go, schedule.go
//	          start   record, Runtime.Start, Ready                               starting  start.go
//	          serve   on the board: Awake and Lease find it without a lock       ready     board.go, live.go
//	                  crash: backoff, then start again, or give up               failed    crash.go
//	          wind down: off the board, leases end, Stop                         draining  stop.go
//	          end     permit back, record gone                                   stopped   life.go
//
// machine.go holds the table of legal moves; nothing else changes a state. permit.go counts what the fleet holds: a permit is taken before an
// instance starts and given back when nothing of it is left, whatever happened between.
//
// # Who gets room
//
// schedule.go gives room to those who wait, by priority, then age, and puts the longest idle instances to sleep for them: never one
// with a lease or a pin, never one younger than its minimum life. While somebody waits whom no idle instance can make room for, the next
// instance to fall idle gives way in the very moment it does, so a busy fleet does not starve the queue. An instance that was woken is pinned
// for everybody who asked for it until they have their answers, so two agents that need the same room take turns and each gets its work done.
//
// Whoever is only asked for in passing waits behind all others, unseen, kept nowhere and in no place that one who needs an agent could have; the first
// who needs it makes its wait one like any other. Once awake it gives way to those who need room however young it is, until somebody needs it.
//
// # Locks
//
// One mutex (Manager.mu) guards all books. Nothing is called under it but our own arithmetic: events and log lines are handed to the outbox in
// order and told after it (outbox.go), answers to askers are called after it, and every store, graph and runtime is asked without it. The
// board and the counters of leases and pins are read and changed without it; taking an instance out of routing closes its counter for good.
//
// # Packets
//
// packets.go writes agents that have a template: the packet's row is the truth and comes first, the agent's dormant card in the graph follows,
// and reconcile.go makes good what a crash or an absent graph left undone. recover.go is the first thing that happens in a life of the server.
package lifecycle
