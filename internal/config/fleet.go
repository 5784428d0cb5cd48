package config

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// Fleet bounds the agents that this server brings to life itself.
type Fleet struct {
	Grow                                                               bool
	MaxAgents, MaxQueue, PIDs                                          int
	TotalCPU, CPU                                                      float64 // cores; TotalCPU 0 is no budget
	TotalMemory, Memory                                                Size    // TotalMemory 0 is no budget
	IdleTimeout, MaxAge, MinLife, QueueMaxAge, StartTimeout, StopGrace time.Duration
	Docker                                                             string // DockerAuto, DockerOn or DockerOff
	DockerHost, HostImage                                              string
	KnowledgeRuntime                                                   string // KnowledgeInProcess or KnowledgeDocker
}

// The words of Fleet.Docker and Fleet.KnowledgeRuntime.
const (
	DockerAuto         = "auto"
	DockerOn           = "on"
	DockerOff          = "off"
	KnowledgeInProcess = "inproc"
	KnowledgeDocker    = "docker"
)

// Growth bounds what is made for concepts that nobody knows.
type Growth struct {
	MaxFlights, MaxAgents   int
	SourceTimeout, Cooldown time.Duration
}

// Limits is the part of f that can be changed while the server runs, in the words of the API.
func (f Fleet) Limits() myriad.FleetLimits {
	return myriad.FleetLimits{MaxAgents: f.MaxAgents, TotalCPU: f.TotalCPU, TotalMemoryBytes: int64(f.TotalMemory), IdleTimeoutMS: f.IdleTimeout.Milliseconds(),
		MaxAgeMS: f.MaxAge.Milliseconds(), MinLifeMS: f.MinLife.Milliseconds(), MaxQueue: f.MaxQueue, QueueMaxAgeMS: f.QueueMaxAge.Milliseconds(),
		Instance: myriad.Limits{CPU: f.CPU, MemoryBytes: int64(f.Memory), PIDs: int64(f.PIDs)}}
}

// UseDocker says whether containers are to be had: when they are asked for, or when auto finds an address or the socket of a daemon.
// Whether the daemon answers is for the runtime to find out.
func (f Fleet) UseDocker(env func(string) (string, bool)) bool {
	if f.Docker != DockerAuto {
		return f.Docker == DockerOn
	}
	if host, _ := env("DOCKER_HOST"); host != "" || f.DockerHost != "" {
		return true
	}
	socket := "/var/run/docker.sock"
	if runtime.GOOS == "windows" {
		socket = `\\.\pipe\docker_engine`
	}
	_, err := os.Stat(socket)
	return err == nil
}

// alias is an environment name of the Python system. read turns its way of writing a value into ours; nil: they are the same.
type alias struct {
	name string
	read func(text string) string
}

func (a alias) ours(text string) string {
	if a.read == nil {
		return text
	}
	return a.read(strings.TrimSpace(text))
}

// inUnit reads bare numbers as so many of a unit of time, like m or h; what has a unit of its own stays as it is.
func inUnit(unit string) func(string) string {
	return func(text string) string {
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return text + unit
		}
		return text
	}
}

// onlyTrue is the Python system's reading of a switch: the word true in any case is on, all else is off.
func onlyTrue(text string) string { return strconv.FormatBool(strings.EqualFold(text, "true")) }

// dockerSize reads sizes as docker does: 256m, 256M, 256mb and 256MiB are the same.
func dockerSize(text string) string {
	text = strings.ToLower(text)
	for _, unit := range []string{"k", "m", "g"} {
		for _, end := range []string{unit + "b", unit + "ib"} {
			if digits, ok := strings.CutSuffix(text, end); ok {
				return digits + unit
			}
		}
	}
	return strings.TrimSuffix(text, "b")
}

// inMilliseconds is the rule of durations that the API gives in milliseconds: they do not vanish in them.
func inMilliseconds(get func(*Config) time.Duration) func(*Config) string {
	return func(c *Config) string {
		if get(c) < time.Millisecond {
			return "must not be under 1ms"
		}
		return ""
	}
}

func instanceCPU(c *Config) string {
	switch f := c.Fleet; {
	case f.CPU <= 0:
		return "must be more than 0"
	case f.TotalCPU > 0 && f.CPU > f.TotalCPU:
		return "must not be over fleet.total_cpu: no agent could start"
	}
	return ""
}

func instanceMemory(c *Config) string {
	switch f := c.Fleet; {
	case f.Memory < minMemory:
		return "must not be under " + minMemory.String() + ": no program starts in less"
	case f.TotalMemory > 0 && f.Memory > f.TotalMemory:
		return "must not be over fleet.total_memory: no agent could start"
	}
	return ""
}

// minMemory is the least memory limit of an instance.
const minMemory Size = myriad.MinInstanceMemory

// dockerHost is the rule of a daemon's address: sockets and pipes have a path, the others a host.
func dockerHost(c *Config) string {
	host := c.Fleet.DockerHost
	for _, scheme := range []string{"unix://", "npipe://", "tcp://", "http://", "https://"} {
		if rest, ok := strings.CutPrefix(host, scheme); ok && rest != "" {
			return ""
		}
	}
	if host == "" {
		return ""
	}
	return "must be an address of a docker daemon that begins with unix://, npipe://, tcp://, http:// or https://"
}

func knowledgeRuntime(c *Config) string {
	f := c.Fleet
	switch {
	case f.KnowledgeRuntime == KnowledgeDocker && f.HostImage == "":
		return "docker needs fleet.host_image, the image that they live in"
	case f.KnowledgeRuntime == KnowledgeDocker && f.Docker == DockerOff:
		return "docker cannot be, because fleet.docker is off"
	}
	return oneOf(func(c *Config) string { return c.Fleet.KnowledgeRuntime }, KnowledgeInProcess, KnowledgeDocker)(c)
}
