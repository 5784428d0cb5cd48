package config

import (
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// TokenName is the file in the data directory that holds the server's own token.
const TokenName = "token"

// Size is a number of bytes, written like 64MiB.
type Size int64

// Config is everything that can be set. table.go names each key, its help and its sources; Default gives what holds without any.
type Config struct {
	Listen       string
	Data         string // directory
	Agents       string // file; "" is none
	TokenFile    string // "" is TokenName in Data
	Insecure     bool
	TLSCert      string
	TLSKey       string
	AllowedHosts []string
	Origins      []string
	Grace        time.Duration
	LogLevel     string
	LogFormat    string
	OTLPEndpoint string
	Run          Run
	Call         Call
	Slots        Slots
	Breaker      Breaker
	GraphBreaker GraphBreaker
	Retry        Retry
	Hedge        Hedge
	Cache        Cache
	Store        Store
	HTTP         HTTP
	Fleet        Fleet
	Growth       Growth
}

// Run bounds runs and plans.
type Run struct {
	Timeout, MaxTimeout                         time.Duration
	MaxTasks, MaxArgsDepth, MaxRuns, MaxWaiting int
	MaxArgs, MaxResults                         Size
}

// Call says how agents are reached.
type Call struct {
	ConnectTimeout, AttemptTimeout              time.Duration
	MaxJob, MaxAnswer                           Size
	MaxConnections                              int
	Proxy                                       string
	ReadingIntents, NetworksAllow, NetworksDeny []string
}

// Slots bound exchanges under way.
type Slots struct {
	Total, PerAgent int
	Adaptive        bool
}

// Breaker is the breaker of every agent's endpoint.
type Breaker struct {
	Failures, MinCalls                    int
	OpenFor, MaxOpenFor, SlowCall, Window time.Duration
	FailureRatio, SlowRatio               float64
}

// GraphBreaker is the breaker around the graph.
type GraphBreaker struct {
	Failures int
	OpenFor  time.Duration
}

// Retry bounds repetition.
type Retry struct {
	BudgetRatio             float64
	BudgetMin, MaxAttempts  int
	BackoffBase, BackoffMax time.Duration
}

// Hedge says when a second attempt is made beside a slow one.
type Hedge struct {
	Enabled            bool
	MinDelay, MaxDelay time.Duration
}

// Cache keeps last good answers.
type Cache struct {
	Enabled  bool
	MaxBytes Size
	MaxAge   time.Duration
}

// Store bounds what is written behind.
type Store struct {
	MaxRuns, Queue int
	MaxRunBytes    Size
	FlushInterval  time.Duration
}

// HTTP bounds requests.
type HTTP struct {
	MaxBody, MaxHeader             Size
	ReadHeaderTimeout, IdleTimeout time.Duration
}

// Default is the configuration without any source.
func Default() Config {
	return Config{
		Listen: "127.0.0.1:5000", Data: DefaultData(), Grace: 10 * time.Second, LogLevel: "info", LogFormat: "text",
		Run: Run{Timeout: 30 * time.Second, MaxTimeout: 10 * time.Minute, MaxTasks: 10_000, MaxArgs: 1 << 20, MaxArgsDepth: 64,
			MaxResults: 256 << 20, MaxRuns: 1000, MaxWaiting: 100_000},
		Call: Call{ConnectTimeout: 10 * time.Second, AttemptTimeout: 10 * time.Second, MaxJob: 8 << 20, MaxAnswer: 4 << 20,
			ReadingIntents: []string{"define", "describe", "explain", "explain_impact", "explain_limitation", "analyze", "analyze_impact",
				"analyze_historical_context", "compare", "evaluate", "summarize", "classify", "translate", "search", "lookup"},
			NetworksAllow: []string{"loopback", "private"}},
		Slots:        Slots{Total: 100, PerAgent: 10},
		Breaker:      Breaker{Failures: 3, OpenFor: 30 * time.Second, MaxOpenFor: 5 * time.Minute, Window: 10 * time.Second, MinCalls: 10},
		GraphBreaker: GraphBreaker{Failures: 5, OpenFor: time.Minute},
		Retry:        Retry{BudgetRatio: 0.2, BudgetMin: 3, MaxAttempts: 3, BackoffBase: 25 * time.Millisecond, BackoffMax: time.Second},
		Hedge:        Hedge{Enabled: true, MinDelay: 5 * time.Millisecond, MaxDelay: 2 * time.Second},
		Cache:        Cache{Enabled: true, MaxBytes: 64 << 20, MaxAge: 24 * time.Hour},
		Store:        Store{MaxRuns: 1000, MaxRunBytes: 256 << 20, FlushInterval: time.Second, Queue: 10_000},
		HTTP:         HTTP{MaxBody: 32 << 20, MaxHeader: 64 << 10, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute},
		Fleet: Fleet{Grow: true, MaxAgents: 20, IdleTimeout: 30 * time.Minute, MaxAge: 24 * time.Hour, MinLife: 10 * time.Second, MaxQueue: 100,
			QueueMaxAge: 10 * time.Minute, CPU: 0.5, Memory: 256 << 20, PIDs: 64, StartTimeout: time.Minute, StopGrace: 10 * time.Second,
			Docker: DockerAuto, KnowledgeRuntime: KnowledgeInProcess},
		Growth: Growth{MaxFlights: 8, MaxAgents: 10_000, SourceTimeout: 10 * time.Second, Cooldown: 5 * time.Minute},
	}
}

// DefaultData is the data directory of this user.
func DefaultData() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) { // the specification has relative ones ignored
		return filepath.Join(dir, "myriad")
	}
	if runtime.GOOS != "windows" && runtime.GOOS != "darwin" {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, ".local", "share", "myriad")
		}
	}
	if dir, err := os.UserConfigDir(); err == nil {
		return filepath.Join(dir, "myriad")
	}
	return "myriad-data"
}
