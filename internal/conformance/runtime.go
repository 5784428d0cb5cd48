package conformance

import (
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// Behaviour is how an instance of a packet behaves. "As Echo" means: every job succeeds, and its data are its args.
type Behaviour string

// The behaviours that the suite asks for.
const (
	Echo            Behaviour = "echo"              // soon ready; answers at once
	Slow            Behaviour = "slow"              // as Echo, each answer args.sleep_ms milliseconds after its job
	Crash           Behaviour = "crash"             // as Echo, but a job whose args.crash is true ends the instance, as a failure, without an answer
	Loud            Behaviour = "loud"              // as Echo, but first writes args.line, as a line of its own, to its log, args.times times (once if absent)
	DeadOnArrival   Behaviour = "dead on arrival"   // writes "dead on arrival" to its log and ends by itself, as a failure, before it was ready
	NeverReady      Behaviour = "never ready"       // lives, and is never ready
	Imposter        Behaviour = "imposter"          // says on /health that it is healthy, and that it is another instance
	Deaf            Behaviour = "deaf"              // as Slow, and does not heed being asked to stop, nor an end of its jobs
	CannotBeStarted Behaviour = "cannot be started" // Start fails: no such program, no such image
)

// RuntimeUnderTest is a runtime with what the suite has to know of it.
type RuntimeUnderTest struct {
	Runtime myriad.Runtime
	// Packet makes a packet that this runtime serves and whose instances behave so; false when it cannot host any that do. Its agent may
	// have any valid name, names one concept or more, and takes at least 4 jobs at once. Echo must be there.
	Packet func(b Behaviour) (myriad.Packet, bool)
	// Reopen stands for the death of the process and its next life: the runtime is left as it is, never closed nor asked for anything again,
	// and another one opened on the same state. What would have died with the process (its pipes, its in-process instances) is dead when it
	// returns; goroutines that watched it are gone by the end of the subtest. Nil when nothing can outlive the process; otherwise Left is set.
	Reopen func(t *testing.T) RuntimeUnderTest
	// Left names what is there of the owner outside of this process: processes, groups, containers, files that say there are some; in
	// an order that only changes with them. A place that the runtime keeps for itself until Close, and that holds nothing, does not count.
	// Nil when nothing ever is.
	Left func(t *testing.T, ownerID string) []string
	// Limits are put on every instance. Zero is none.
	Limits myriad.Limits
	// StartTimeout is how long an instance may take to be ready. 0 is 30 s.
	StartTimeout time.Duration
	// Parallel is how many instances the suite starts and stops at once in its crowded tests. 0 is 8.
	Parallel int
}

// Runtime checks every promise of myriad.Runtime. open gives a fresh runtime with nothing running; it is called once for each subtest, one
// after the other, and the suite closes what it gave. A subtest whose behaviour the runtime cannot host is skipped.
func Runtime(t *testing.T, open func(t *testing.T) RuntimeUnderTest) {
	for _, c := range []struct {
		name  string
		check func(t *testing.T, r *rig)
	}{
		// One instance (runtime_life.go).
		{"Answers", answers},
		{"SeveralBesideEachOther", several},
		{"LoopbackOnly", loopbackOnly},
		{"StartContextEndsWithStart", startContext},
		{"FailedStartLeavesNothing", failedStart},
		{"NeverReady", neverReady},
		{"OnlyItself", onlyItself},
		{"Crash", crash},
		{"DeadOnArrival", deadOnArrival},
		{"LastLog", lastLog},
		{"Usage", usage},
		{"Unenforced", unenforced},
		// Ends (runtime_stop.go).
		{"StopTwice", stopTwice},
		{"StopAtOnce", stopAtOnce},
		{"StopWhileStarting", stopWhileStarting},
		{"StopLetsJobsFinish", stopLetsJobsFinish},
		{"StopEndsWithItsContext", stopEndsWithContext},
		{"StopDeaf", stopDeaf},
		{"StopAfterCrash", stopAfterCrash},
		// The runtime (runtime_whole.go).
		{"Serves", serves},
		{"SameInstanceTwice", sameInstance},
		{"ManyAtOnce", manyAtOnce},
		{"StopBesideStart", stopBesideStart},
		{"Close", closes},
		{"RecoverNothing", recoverNothing},
		{"Recover", recovers},
		{"RecoverLeavesOthers", recoverLeavesOthers},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, newRig(t, open)) })
	}
}
