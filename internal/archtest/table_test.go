package archtest

import "strings"

// module is the module path; the root package has no name of its own in the table but "".
const module = "github.com/myriad-mind/myriad"

// row says what a package may import of ours in its non-test files, and who may import it.
type row struct {
	imports []string // besides these nothing; "*" is every package that is not restricted to others
	only    []string // when set, nobody else may import it; an empty list that is not nil means tests alone
}

// root is the vocabulary: nearly everybody imports it, and it imports nothing of ours.
const root = ""

// testsOnly packages appear in no program.
var testsOnly = []string{}

// table is the package table of the design. Siblings do not import siblings: a consumer declares the small interface that it needs, in
// the words of the root, and cmd/myriad wires them.
var table = map[string]row{
	root:                    {},
	"agent":                 {imports: []string{root, "client"}},
	"client":                {imports: []string{root}},
	"internal/resilience":   {},
	"internal/egress":       {},
	"internal/web":          {},
	"internal/dispatch":     {imports: []string{root}},
	"internal/call":         {imports: []string{root, "internal/resilience", "internal/egress"}},
	"internal/discovery":    {imports: []string{root}},
	"internal/orchestrator": {imports: []string{root}},
	"internal/neurogenesis": {imports: []string{root}},
	"internal/lifecycle":    {imports: []string{root, "internal/resilience"}},
	"internal/sqlitestore":  {imports: []string{root}},
	"internal/neo4jgraph":   {imports: []string{root}},
	"internal/wordnet":      {imports: []string{root}},
	"internal/question":     {imports: []string{root}},
	"internal/inprocrt":     {imports: []string{root, "agent"}},
	"internal/processrt":    {imports: []string{root, "agent", "internal/processrt/shim"}},
	"internal/dockerrt":     {imports: []string{root, "agent"}},
	"internal/telemetry":    {imports: []string{root}},
	"internal/httpapi":      {imports: []string{root, "internal/egress"}},
	"internal/config":       {imports: []string{root}},
	"internal/demo":         {imports: []string{root, "agent", "client", "internal/faultproxy"}},
	"cmd/myriad":            {imports: []string{"*"}},

	// A part of its own of a package above.
	"internal/processrt/shim": {only: []string{"internal/processrt"}},

	// Test tools.
	"internal/conformance": {imports: []string{root}, only: testsOnly},
	"internal/faultproxy":  {only: []string{"internal/demo", "internal/bench"}},
	"internal/bench":       {imports: []string{"*", "internal/faultproxy"}, only: testsOnly},
	"internal/archtest":    {only: testsOnly},
}

// families are rows for every package below a folder that has no row of its own.
var families = map[string]row{
	"examples/": {imports: []string{root, "agent", "client"}, only: testsOnly},
}

// inits are the init functions that are allowed, by package and file, each with its reason.
var inits = map[string]string{
	"internal/processrt/shim/shim_linux.go": "a child's first moment must come before all other initialisation, which takes longer than the start of a program",
}

// badNames say nothing about what a package is for.
var badNames = []string{"base", "common", "helper", "helpers", "lib", "misc", "shared", "types", "util", "utils"}

// testing may be imported by programs' packages nowhere, for it adds flags to them; these packages are no part of programs.
var usesTesting = []string{"internal/conformance", "internal/bench"}

func rowOf(pkg string) (row, bool) {
	if r, ok := table[pkg]; ok {
		return r, true
	}
	for prefix, r := range families {
		if strings.HasPrefix(pkg, prefix) {
			return r, true
		}
	}
	return row{}, false
}
