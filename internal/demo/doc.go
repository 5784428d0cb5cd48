// Package demo audits the documents of a folder with a fleet of small agents, each behind its own listener on loopback, through the API of
// a real server: a plan of some dozens of tasks fans out over files, joins per topic and ends in one report.
//
// Start reading at Run; plan.go makes the graph of tasks, fleet.go holds the agents, document.go reads Markdown, and each file named after
// a check holds that check. The second act (acts.go) runs the same plan while agents and the graph fail.
package demo
