package dockerrt

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

const (
	// maxEnvPacket is how large a packet may be to travel in the environment: half of what Linux takes for one variable.
	maxEnvPacket = 64 << 10
	packetDir    = "/packet"
	packetFile   = "packet.json"
)

// hand gives the agent host its command and its packet: in the environment, or in a volume of the container's own that is written before
// the start (its root is read-only, and a tmpfs is not there before it runs) and removed with it.
func (s *spec) hand(p myriad.Packet, config *container.Config, host *container.HostConfig) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return myriad.Errorf(myriad.CodeInvalid, "the packet of agent %s cannot be written: %w", p.Agent.Name, err)
	}
	config.Cmd = []string{"host"}
	if len(raw) <= maxEnvPacket {
		config.Env = append(config.Env, envPacket+"="+string(raw))
		return nil
	}
	s.packet = raw
	config.Env = append(config.Env, envPacketFile+"="+packetDir+"/"+packetFile)
	host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Target: packetDir, VolumeOptions: &mount.VolumeOptions{NoCopy: true, Labels: config.Labels}})
	return nil
}

// deliver writes the packet into a container that has not started.
func (r *Runtime) deliver(ctx context.Context, id string, packet []byte) error {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: packetFile, Mode: 0o444, Size: int64(len(packet)), ModTime: time.Now()}); err != nil {
		return err
	}
	if _, err := w.Write(packet); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	ctx, cancel := r.call(ctx)
	defer cancel()
	_, err := r.docker.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: packetDir, Content: &archive})
	return err
}
