// Package dockerrt runs agents in Docker containers: images that speak the job protocol, and knowledge packets inside the agent host image.
// It talks to the daemon over its API, whose version is negotiated.
//
// A container is as closed as an agent allows: a read-only root with a bounded tmpfs at /tmp, no capabilities, no new privileges, limits on
// CPU, memory (swap included) and processes, a bounded log, and one port, published on loopback. Its labels say whose it is and what it was
// started from; they are set when it is created, so that whatever a dying server leaves is found again by them.
//
// Start reading at start.go. The life of a container after its start is in watch.go: one goroutine per instance waits for its end and
// removes it, whoever ended it. What could not be removed because the daemon did not answer is tried again by the janitor.
package dockerrt
