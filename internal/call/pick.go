package call

import (
	"time"

	"github.com/myriad-mind/myriad"
)

// late says that the call's deadline has passed.
func (f *flight) late() bool {
	return !f.call.Deadline.IsZero() && !time.Now().Before(f.call.Deadline)
}

func (f *flight) isSpent() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.spent
}

// candidateSet holds indices of candidates.
type candidateSet uint64

// considered is how many of the best candidates are considered after the first attempt; far more than attempts are made.
const considered = 64

func (s *candidateSet) add(cand int) { *s |= 1 << cand } // a shift by 64 and more adds nothing

// setTried keeps the candidate from being picked.
func (f *flight) setTried(cand int) {
	f.mu.Lock()
	f.tried.add(cand)
	f.mu.Unlock()
}

// wasTried says that an attempt at the candidate was made within this call, or will not be.
func (f *flight) wasTried(cand int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return cand >= considered || f.tried>>cand&1 == 1
}

// next is the best candidate not tried yet whose breaker would let a call through; safe asks for one at which the task may be repeated.
func (f *flight) next(safe bool) (cand int, ok bool) {
	for i := range f.call.Candidates {
		a := f.call.Candidates[i].Agent
		if f.wasTried(i) || safe && !f.caller.repeatable(f, a) {
			continue
		}
		if ready, _ := f.caller.ends.ready(a); ready {
			return i, true
		}
	}
	return 0, false
}

// ready says that a candidate other than this one could be called as far as its breaker goes.
func (f *flight) ready(but int) bool {
	for i := range f.call.Candidates {
		if i == but || f.wasTried(i) {
			continue
		}
		if ok, _ := f.caller.ends.ready(f.call.Candidates[i].Agent); ok {
			return true
		}
	}
	return false
}

// pick gets a slot of the best candidate not tried yet that has one to give, now or never. Who is passed over on the way is noted.
func (f *flight) pick() (try, bool) {
	for i := range f.call.Candidates {
		if f.wasTried(i) {
			continue
		}
		if t, ok := f.take(i); ok {
			return t, true
		}
	}
	return try{}, false
}

// take gets a slot of the candidate, unless its breaker is open or no slot is free.
func (f *flight) take(cand int) (try, bool) {
	candidate := f.call.Candidates[cand]
	if ok, wait := f.caller.ends.ready(candidate.Agent); !ok {
		f.reject(cand, myriad.RejectedOpen, wait)
		return try{}, false
	}
	slot, ok := f.caller.cfg.Slots.Try(candidate)
	if !ok {
		f.reject(cand, myriad.RejectedNoSlot, 0)
		return try{}, false
	}
	return try{cand: cand, agent: candidate.Agent, end: f.caller.ends.of(candidate.Agent), slot: slot}, true
}

// rejectOpen notes the candidates that were passed over because their breakers are open.
func (f *flight) rejectOpen() {
	for i := range f.call.Candidates {
		if f.wasTried(i) {
			continue
		}
		if ok, wait := f.caller.ends.ready(f.call.Candidates[i].Agent); !ok {
			f.reject(i, myriad.RejectedOpen, wait)
		}
	}
}

// soonest is the time until some candidate's breaker lets a call through, 0 when one would now.
func (f *flight) soonest() time.Duration {
	var least time.Duration
	for i := range f.call.Candidates {
		ok, wait := f.caller.ends.ready(f.call.Candidates[i].Agent)
		if ok {
			return 0
		}
		if least == 0 || wait < least {
			least = wait
		}
	}
	return least
}
