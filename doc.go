// Package myriad is the vocabulary of the Myriad agent orchestrator: the words that every other package speaks, as types, and the
// ports that have more than one implementation. It does no I/O and imports nothing else of this module.
//
// The one way through, and where to read it:
//
//	HTTP or CLI -> internal/httpapi      decode, authorise, limit
//	            -> internal/orchestrator plan the graph; a task is ready when its last dependency is done
//	            -> internal/discovery    (concept, intent) -> ranked candidates from a bounded cached view of the graph
//	            -> internal/dispatch     one slot of the endpoint and one of the whole, fair between runs
//	            -> internal/call         retry on a fresh candidate -> hedge -> breaker -> timeout -> protocol -> transport
//	            -> the agent
//	            <- internal/call         classify the outcome, feed breaker and statistics, give the slots back
//	            <- internal/orchestrator last good answer when nobody can answer; unblock dependents; stream the result
//	            <- internal/httpapi      encode
//
// What happens is told as one Event type through one Sink. Start reading at task.go, then result.go, then event.go.
package myriad
