// Package dispatch decides who goes next. It alone hands out slots: one of an endpoint and one of the whole server, always together.
// Start reading at dispatcher.go; match.go is the policy.
//
// A Turn waits in the queues of all its candidates and goes where a slot frees first. Each endpoint's queue is a line of lanes, one for
// each run that waits there; inside a lane tickets go by priority, then by arrival. An endpoint always serves the lane at the front of
// its line, which then goes to the back if the run waits for more. So far this is round robin between runs at each endpoint.
//
// When the server's own slots are the bottleneck, several endpoints may have a slot for somebody. Then runs go in turn too: every run
// carries a stamp, renewed whenever one of its tickets is served anywhere, and the server's slot goes to the endpoint where the run with
// the oldest stamp waits. That endpoint serves the front of its line as ever; it keeps the claim of that run until the run itself has
// been served. Between endpoints with equal claims the one goes first whose front lane has waited longest.
//
// What is promised, counted in grants:
//
//   - No limit is exceeded and no slot lost, whatever callbacks do. A slot is idle only while nobody waits who could use it.
//   - At one endpoint, between a ticket's arrival and its grant, any other run is served at most once for each ticket of the same run
//     that goes before it, and once more. A run of 10,000 tasks delays a run of one by one turn.
//   - When the server's slots are the bottleneck, a run that spreads over a hundred endpoints has one turn, not a hundred, against a run
//     of one: while the endpoint of the latter has a slot, it is delayed by one turn of the server and one of its endpoint, and by one
//     more for each third run that came before it.
//   - Nobody starves. A ticket waits for a finite number of grants, also under an endless stream of fresh runs, because fresh lanes and
//     runs join at the back and stamps only ever get newer.
//   - Priority orders tickets of one run and never moves a run.
//
// Waiting costs no goroutine and holds no slot. How many may wait is the caller's to bound: Submit has no way to refuse.
package dispatch
