package config

import (
	"strings"
	"time"
)

// option is one key: where its value goes, and what it is for. The environment name and the flag follow from the key.
type option struct {
	key   string // as in the file, like run.max_tasks
	help  string
	into  func(*Config) any // pointer to a string, bool, int, float64, time.Duration, Size or []string
	check func(*Config) string
	alias []alias // environment names of the Python system, below ours
}

// env is the option's environment name.
func (o option) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(o.key, ".", "_"))
}

// flag is the option's flag.
func (o option) flag() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(o.key)
}

// options is every key there is, in the order in which they are printed.
var options = []option{
	{key: "listen", help: "address to serve on; anything but loopback needs a token", into: func(c *Config) any { return &c.Listen }, check: listenAddress},
	{key: "data", help: "data directory", into: func(c *Config) any { return &c.Data }, check: filled(func(c *Config) string { return c.Data })},
	{key: "agents", help: "file of agents that belong to the file; SIGHUP reads it again", into: func(c *Config) any { return &c.Agents }},
	{key: "token_file", help: "file that holds the token; by default one is made in the data directory", into: func(c *Config) any { return &c.TokenFile }},
	{key: "insecure", help: "serve off loopback without asking for the token", into: func(c *Config) any { return &c.Insecure }},
	{key: "tls_cert", help: "certificate file (PEM)", into: func(c *Config) any { return &c.TLSCert }, check: tlsPair},
	{key: "tls_key", help: "key file (PEM)", into: func(c *Config) any { return &c.TLSKey }},
	{key: "allowed_hosts", help: "further host names that requests may be addressed to", into: func(c *Config) any { return &c.AllowedHosts }, check: each(func(c *Config) []string { return c.AllowedHosts }, "host names", isHost)},
	{key: "origins", help: "further origins whose pages may make changes", into: func(c *Config) any { return &c.Origins }, check: each(func(c *Config) []string { return c.Origins }, "origins like https://host:port", isOrigin)},
	{key: "grace", help: "how long running runs may finish when the server stops", into: func(c *Config) any { return &c.Grace }},
	{key: "log_level", help: "debug, info, warn or error", into: func(c *Config) any { return &c.LogLevel }, check: oneOf(func(c *Config) string { return c.LogLevel }, "debug", "info", "warn", "error")},
	{key: "log_format", help: "text or json", into: func(c *Config) any { return &c.LogFormat }, check: oneOf(func(c *Config) string { return c.LogFormat }, "text", "json")},
	{key: "otlp_endpoint", help: "URL of an OTLP/HTTP collector; none turns traces off", into: func(c *Config) any { return &c.OTLPEndpoint }, check: address(func(c *Config) string { return c.OTLPEndpoint }, "http", "https")},

	{key: "run.timeout", help: "deadline of a run that names none", into: func(c *Config) any { return &c.Run.Timeout }, check: atMost(func(c *Config) time.Duration { return c.Run.Timeout }, func(c *Config) time.Duration { return c.Run.MaxTimeout }, "run.max_timeout")},
	{key: "run.max_timeout", help: "longest deadline that a run may name", into: func(c *Config) any { return &c.Run.MaxTimeout }},
	{key: "run.max_tasks", help: "tasks of a plan", into: func(c *Config) any { return &c.Run.MaxTasks }},
	{key: "run.max_args", help: "args of a task", into: func(c *Config) any { return &c.Run.MaxArgs }},
	{key: "run.max_args_depth", help: "nesting of args", into: func(c *Config) any { return &c.Run.MaxArgsDepth }, check: argsDepth},
	{key: "run.max_results", help: "results of a run together", into: func(c *Config) any { return &c.Run.MaxResults }},
	{key: "run.max_runs", help: "runs under way; more are refused", into: func(c *Config) any { return &c.Run.MaxRuns }},
	{key: "run.max_waiting_tasks", help: "tasks that wait, over all runs; past it new runs are refused", into: func(c *Config) any { return &c.Run.MaxWaiting }},

	{key: "call.connect_timeout", help: "connecting to an agent", into: func(c *Config) any { return &c.Call.ConnectTimeout }},
	{key: "call.attempt_timeout", help: "one exchange with an agent", into: func(c *Config) any { return &c.Call.AttemptTimeout }},
	{key: "call.max_job", help: "one job", into: func(c *Config) any { return &c.Call.MaxJob }},
	{key: "call.max_answer", help: "one answer", into: func(c *Config) any { return &c.Call.MaxAnswer }},
	{key: "call.max_connections", help: "connections kept to agents; 0 is as many as slots.total", into: func(c *Config) any { return &c.Call.MaxConnections }, alias: []alias{{name: "HTTP_POOL_MAX"}}},
	{key: "call.proxy", help: "URL of a proxy to agents; none by default, whatever the environment says", into: func(c *Config) any { return &c.Call.Proxy }, check: address(func(c *Config) string { return c.Call.Proxy }, "http", "https", "socks5")},
	{key: "call.reading_intents", help: "intents that only read, so may be repeated and remembered", into: func(c *Config) any { return &c.Call.ReadingIntents }, check: each(func(c *Config) []string { return c.Call.ReadingIntents }, "intents in lower case", isIntent)},
	{key: "call.networks_allow", help: "networks that agents may be in: CIDR, or loopback, private, public, link-local, metadata, any", into: func(c *Config) any { return &c.Call.NetworksAllow }},
	{key: "call.networks_deny", help: "networks that they may not be in, whatever is allowed", into: func(c *Config) any { return &c.Call.NetworksDeny }},

	{key: "slots.total", help: "exchanges under way, in all", into: func(c *Config) any { return &c.Slots.Total }},
	{key: "slots.per_agent", help: "exchanges under way with an agent that names no max_concurrency", into: func(c *Config) any { return &c.Slots.PerAgent }},
	{key: "slots.adaptive", help: "let latency decide an agent's slots", into: func(c *Config) any { return &c.Slots.Adaptive }},

	{key: "breaker.failures", help: "failures in a row that open an agent's breaker", into: func(c *Config) any { return &c.Breaker.Failures }},
	{key: "breaker.open_for", help: "how long it stays open before a probe", into: func(c *Config) any { return &c.Breaker.OpenFor }, check: atMost(func(c *Config) time.Duration { return c.Breaker.OpenFor }, func(c *Config) time.Duration { return c.Breaker.MaxOpenFor }, "breaker.max_open_for")},
	{key: "breaker.max_open_for", help: "how long at the most when it trips again and again", into: func(c *Config) any { return &c.Breaker.MaxOpenFor }},
	{key: "breaker.failure_ratio", help: "share of failures that opens it; 0 is off", into: func(c *Config) any { return &c.Breaker.FailureRatio }, check: share(func(c *Config) float64 { return c.Breaker.FailureRatio })},
	{key: "breaker.slow_call", help: "what counts as slow; 0 is off", into: func(c *Config) any { return &c.Breaker.SlowCall }},
	{key: "breaker.slow_ratio", help: "share of slow calls that opens it; 0 is off", into: func(c *Config) any { return &c.Breaker.SlowRatio }, check: slowCalls},
	{key: "breaker.window", help: "over which shares are counted", into: func(c *Config) any { return &c.Breaker.Window }},
	{key: "breaker.min_calls", help: "calls in the window before shares count", into: func(c *Config) any { return &c.Breaker.MinCalls }},
	{key: "graph_breaker.failures", help: "failures in a row that open the graph's breaker", into: func(c *Config) any { return &c.GraphBreaker.Failures }},
	{key: "graph_breaker.open_for", help: "how long it stays open before a probe", into: func(c *Config) any { return &c.GraphBreaker.OpenFor }},

	{key: "retry.budget_ratio", help: "retries and hedges as a share of recent calls", into: func(c *Config) any { return &c.Retry.BudgetRatio }, check: share(func(c *Config) float64 { return c.Retry.BudgetRatio })},
	{key: "retry.budget_min", help: "retries and hedges that are always allowed in 10 s", into: func(c *Config) any { return &c.Retry.BudgetMin }},
	{key: "retry.max_attempts", help: "attempts at one task", into: func(c *Config) any { return &c.Retry.MaxAttempts }},
	{key: "retry.backoff_base", help: "before the same agent is tried again", into: func(c *Config) any { return &c.Retry.BackoffBase }, check: atMost(func(c *Config) time.Duration { return c.Retry.BackoffBase }, func(c *Config) time.Duration { return c.Retry.BackoffMax }, "retry.backoff_max")},
	{key: "retry.backoff_max", help: "the same, at the most", into: func(c *Config) any { return &c.Retry.BackoffMax }},
	{key: "hedge.enabled", help: "ask a second agent when the first is slow", into: func(c *Config) any { return &c.Hedge.Enabled }},
	{key: "hedge.min_delay", help: "earliest moment of a hedge", into: func(c *Config) any { return &c.Hedge.MinDelay }, check: atMost(func(c *Config) time.Duration { return c.Hedge.MinDelay }, func(c *Config) time.Duration { return c.Hedge.MaxDelay }, "hedge.max_delay")},
	{key: "hedge.max_delay", help: "latest moment of a hedge", into: func(c *Config) any { return &c.Hedge.MaxDelay }},

	{key: "cache.enabled", help: "keep last good answers", into: func(c *Config) any { return &c.Cache.Enabled }},
	{key: "cache.max_bytes", help: "last good answers together", into: func(c *Config) any { return &c.Cache.MaxBytes }},
	{key: "cache.max_age", help: "oldest last good answer that is served", into: func(c *Config) any { return &c.Cache.MaxAge }},
	{key: "store.max_runs", help: "runs kept", into: func(c *Config) any { return &c.Store.MaxRuns }},
	{key: "store.max_run_bytes", help: "runs kept, together", into: func(c *Config) any { return &c.Store.MaxRunBytes }},
	{key: "store.flush_interval", help: "how late records may be written", into: func(c *Config) any { return &c.Store.FlushInterval }},
	{key: "store.queue", help: "records that may wait to be written", into: func(c *Config) any { return &c.Store.Queue }},
	{key: "http.max_body", help: "body of a request", into: func(c *Config) any { return &c.HTTP.MaxBody }},
	{key: "http.max_header", help: "header of a request", into: func(c *Config) any { return &c.HTTP.MaxHeader }},
	{key: "http.read_header_timeout", help: "reading a request's header", into: func(c *Config) any { return &c.HTTP.ReadHeaderTimeout }},
	{key: "http.idle_timeout", help: "a connection without a request", into: func(c *Config) any { return &c.HTTP.IdleTimeout }},

	{key: "fleet.grow", help: "make an agent for a concept that nobody knows", into: func(c *Config) any { return &c.Fleet.Grow }, alias: []alias{{"ENABLE_DYNAMIC_AGENTS", onlyTrue}}},
	{key: "fleet.max_agents", help: "instances that hold resources, starting and draining ones included", into: func(c *Config) any { return &c.Fleet.MaxAgents }, alias: []alias{{name: "MAX_DYNAMIC_AGENTS"}}},
	{key: "fleet.total_cpu", help: "cores that all instances' limits may come to; 0 is no budget", into: func(c *Config) any { return &c.Fleet.TotalCPU }},
	{key: "fleet.total_memory", help: "memory that all instances' limits may come to; 0 is no budget", into: func(c *Config) any { return &c.Fleet.TotalMemory }},
	{key: "fleet.idle_timeout", help: "an instance without work goes to sleep after this", into: func(c *Config) any { return &c.Fleet.IdleTimeout }, check: inMilliseconds(func(c *Config) time.Duration { return c.Fleet.IdleTimeout }), alias: []alias{{"AGENT_IDLE_TIMEOUT", inUnit("m")}}},
	{key: "fleet.max_age", help: "an instance is replaced after this", into: func(c *Config) any { return &c.Fleet.MaxAge }, check: inMilliseconds(func(c *Config) time.Duration { return c.Fleet.MaxAge }), alias: []alias{{"AGENT_MAX_AGE_HOURS", inUnit("h")}}},
	{key: "fleet.min_life", help: "a younger instance is not evicted to make room", into: func(c *Config) any { return &c.Fleet.MinLife }},
	{key: "fleet.max_queue", help: "requests that may wait for room in the fleet", into: func(c *Config) any { return &c.Fleet.MaxQueue }},
	{key: "fleet.queue_max_age", help: "a request that has waited longer is dropped", into: func(c *Config) any { return &c.Fleet.QueueMaxAge }, check: inMilliseconds(func(c *Config) time.Duration { return c.Fleet.QueueMaxAge })},
	{key: "fleet.cpu", help: "cores of an instance whose template names none", into: func(c *Config) any { return &c.Fleet.CPU }, check: instanceCPU, alias: []alias{{name: "AGENT_CPU_LIMIT"}}},
	{key: "fleet.memory", help: "memory of an instance whose template names none, swap included", into: func(c *Config) any { return &c.Fleet.Memory }, check: instanceMemory, alias: []alias{{"AGENT_MEMORY_LIMIT", dockerSize}}},
	{key: "fleet.pids", help: "processes and threads of an instance whose template names none", into: func(c *Config) any { return &c.Fleet.PIDs }},
	{key: "fleet.start_timeout", help: "an instance that is not ready after this has failed", into: func(c *Config) any { return &c.Fleet.StartTimeout }},
	{key: "fleet.stop_grace", help: "jobs under way may finish, and a program may end by itself, within this", into: func(c *Config) any { return &c.Fleet.StopGrace }},
	{key: "fleet.docker", help: "agents in containers: auto (when a daemon's address or socket is there), on or off", into: func(c *Config) any { return &c.Fleet.Docker }, check: oneOf(func(c *Config) string { return c.Fleet.Docker }, DockerAuto, DockerOn, DockerOff)},
	{key: "fleet.docker_host", help: "address of the docker daemon; by default DOCKER_HOST, else the usual socket", into: func(c *Config) any { return &c.Fleet.DockerHost }, check: dockerHost},
	{key: "fleet.host_image", help: "image of the agent host, for knowledge agents in containers", into: func(c *Config) any { return &c.Fleet.HostImage }},
	{key: "fleet.knowledge_runtime", help: "where knowledge agents live: inproc or docker", into: func(c *Config) any { return &c.Fleet.KnowledgeRuntime }, check: knowledgeRuntime},
	{key: "growth.max_flights", help: "unknown concepts that are researched at a time", into: func(c *Config) any { return &c.Growth.MaxFlights }},
	{key: "growth.max_agents", help: "grown agents that are kept, asleep ones included", into: func(c *Config) any { return &c.Growth.MaxAgents }},
	{key: "growth.source_timeout", help: "one source of research", into: func(c *Config) any { return &c.Growth.SourceTimeout }},
	{key: "growth.cooldown", help: "a concept whose growing failed is not tried again before this", into: func(c *Config) any { return &c.Growth.Cooldown }},
}

// mayBeZero are the numbers for which 0 has a meaning of its own; all others must be positive.
var mayBeZero = map[string]bool{"breaker.failure_ratio": true, "breaker.slow_call": true, "breaker.slow_ratio": true, "retry.budget_ratio": true,
	"retry.budget_min": true, "grace": true, "call.max_connections": true, "fleet.total_memory": true, "fleet.min_life": true}
