package config

import (
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/myriad-mind/myriad"
)

// envPrefix is what the names of our variables begin with; a server takes no others that do.
const envPrefix = "MYRIAD_"

// otherVariables are ours too, but no keys: those of clients, and those that agents are started with, which may be Myriad servers again.
var otherVariables = []string{"MYRIAD_SERVER", "MYRIAD_TOKEN_FILE", "MYRIAD_CONFIG", "MYRIAD_NONCE", "MYRIAD_PACKET", "MYRIAD_PACKET_FILE", "MYRIAD_AGENT", "MYRIAD_BIND",
	"MYRIAD_OWNER", "MYRIAD_INSTANCE", "MYRIAD_WORKER", "MYRIAD_DEADLINE_MS", "MYRIAD_IDEMPOTENCY_KEY"}

// serviceLink matches what Kubernetes puts into the environment of every container beside a service named myriad, or myriad-something.
var serviceLink = regexp.MustCompile(`^MYRIAD_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// environment reads variables of the form NAME=value. A name that looks like ours and is none is a mistake: misspelt, it would be passed over.
func environment(environ []string) (map[string]string, []myriad.Mistake) {
	known := slices.Clone(otherVariables)
	for _, o := range options {
		known = append(known, o.env())
	}
	env := make(map[string]string, len(environ))
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name) // there, case does not matter
		}
		env[name] = value
	}
	var mistakes []myriad.Mistake
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if strings.HasPrefix(name, envPrefix) && !slices.Contains(known, name) && !serviceLink.MatchString(name) {
			mistakes = append(mistakes, myriad.Mistake{Path: name, Rule: fmt.Sprintf("is no variable of ours; the nearest is %s", nearest(name, known))})
		}
	}
	return env, mistakes
}

// nearest is the word of the fewest edits from name.
func nearest(name string, words []string) string {
	return slices.MinFunc(words, func(a, b string) int { return edits(name, a) - edits(name, b) })
}

// edits counts the letters to insert, delete or change to make b of a (Levenshtein's distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
