package dockerrt

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

// defaultPort is where an agent listens inside its container when its template names no other.
const defaultPort = 5000

// The environment that every container gets; an agent's own settings do not override it.
const (
	envPort       = "PORT"
	envBind       = "MYRIAD_BIND" // agents made with the SDK listen there: a container's own loopback is out of reach
	envNonce      = "MYRIAD_NONCE"
	envPacket     = "MYRIAD_PACKET"      // the packet itself, for the agent host
	envPacketFile = "MYRIAD_PACKET_FILE" // where it is, when it is too large for the environment
)

// spec is a container as it is asked for.
type spec struct {
	label   label
	image   image
	options client.ContainerCreateOptions
	packet  []byte // what is put into the container before it starts; nil is nothing
}

// specOf says how the container of a request looks.
func (r *Runtime) specOf(req myriad.StartRequest, l label, info *system.Info) (spec, error) {
	t := req.Packet.Agent.Template
	s := spec{label: l, image: r.imageOf(t)}
	port, ok := network.PortFrom(uint16(l.port), network.TCP)
	if !ok || l.port < 1 || l.port > 65535 {
		return s, myriad.Errorf(myriad.CodeInvalid, "the port %d of agent %s is none", l.port, l.agent)
	}
	config := &container.Config{
		Image: s.image.ref, Cmd: slices.Clone(t.Command), Labels: l.toMap(), ExposedPorts: network.PortSet{port: {}}, Env: environment(t, l, req.Nonce),
	}
	host := r.hostConfig(port, resources(req.Limits, info))
	if t.Kind == myriad.TemplateKnowledge {
		if err := s.hand(req.Packet, config, host); err != nil {
			return s, err
		}
	}
	s.options = client.ContainerCreateOptions{Name: l.containerName(), Config: config, HostConfig: host}
	return s, nil
}

// hostConfig closes the container as far as an agent allows.
func (r *Runtime) hostConfig(port network.Port, res container.Resources) *container.HostConfig {
	return &container.HostConfig{
		Resources:      res,
		NetworkMode:    container.NetworkMode(r.cfg.Network),
		PortBindings:   network.PortMap{port: {{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1})}}}, // without a port: one that is free
		RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyDisabled},            // who restarts what is decided above
		CapDrop:        []string{"ALL"},
		SecurityOpt:    []string{"no-new-privileges"},
		ReadonlyRootfs: true,
		Tmpfs:          map[string]string{"/tmp": fmt.Sprintf("rw,nosuid,nodev,mode=1777,size=%d", r.cfg.TmpBytes)},
		IpcMode:        container.IPCModePrivate,
		LogConfig:      container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "1m", "max-file": "1"}},
	}
}

// environment is what an agent's process finds: what the template passes on and sets, then what it is told by us.
func environment(t *myriad.Template, l label, nonce string) []string {
	env := map[string]string{}
	for _, name := range t.PassEnv {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	for name, value := range t.Env {
		env[name] = value
	}
	env[envPort] = fmt.Sprint(l.port)
	env[envBind] = "0.0.0.0"
	env[envNonce] = nonce
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// variable is the value of a variable in a container's environment.
func variable(env []string, name string) string {
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}
