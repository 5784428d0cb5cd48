// Package conformance holds the promises of the root's ports as test suites: whatever implements a port passes its suite, in-memory fakes
// included. Only tests import it.
package conformance
