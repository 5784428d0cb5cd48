package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// digestVersion is in front of every digest. Whatever makes an agent that stays as it is have another digest (a field of myriad.Agent, a default of
// CheckAgent) needs the next one. Without it a new release would take every declaration of an agents file for a changed one, and its agents would lose
// what they have learned; with it they are compared with what is stored.
const digestVersion = "1:"

// digest tells one declaration of an agent from another, whatever the agent has become: where it runs, and which write of it is the last.
func digest(a myriad.Agent) string {
	a, _ = myriad.CheckAgent(a)
	if a.Template != nil {
		a.Endpoint, a.Dormant = "", true
	}
	a.Revision, a.CreatedAt, a.UpdatedAt = 0, time.Time{}, time.Time{}
	text, err := json.Marshal(a)
	if err != nil { // its fields are texts and numbers, and numbers of an agent that was checked are finite
		panic(err)
	}
	sum := sha256.Sum256(text)
	return digestVersion + hex.EncodeToString(sum[:])
}

// outdated says that a digest is of another version, so that it tells nothing.
func outdated(digest string) bool { return digest != "" && !strings.HasPrefix(digest, digestVersion) }

// asDeclared says whether an agent whose declaration has not changed is still there as it was declared; what it knows may be more by now.
func asDeclared(there, a myriad.Agent) bool { return digest(taught(there)) == digest(taught(a)) }

// asStored says whether a declaration is that of the agent that is there, as far as the agent itself can tell: what was declared of its knowledge cannot
// be told any more once it has learned something.
func asStored(there, a myriad.Agent) bool {
	if t := there.Template; t == nil || t.Knowledge == nil || len(t.Knowledge.Learned) == 0 {
		return digest(there) == digest(a)
	}
	return asDeclared(there, a)
}

// taught is an agent without what it knows: that is what it may have learned since it was declared.
func taught(a myriad.Agent) myriad.Agent {
	if a.Template != nil {
		template := *a.Template
		template.Knowledge = nil
		a.Template = &template
	}
	return a
}
