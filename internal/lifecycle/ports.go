package lifecycle

import (
	"context"

	"github.com/myriad-mind/myriad"
)

// store keeps packets, the queue and the records of instances. Every method is durable before it returns.
type store interface {
	// PutPacket writes the packet of p.Agent.Name and marks it as not yet in the graph. Revision is counted up, from 1; the guard is judged on
	// the packet that is there.
	PutPacket(ctx context.Context, p myriad.Packet, g myriad.Guard) (myriad.Packet, error)
	// PacketSynced notes that the graph shows this revision; it has no effect when the packet has moved on.
	PacketSynced(ctx context.Context, name string, revision int64) error
	// DropPacket marks the packet as deleted: nothing but UnsyncedPackets tells of it any more. It returns the packet that was.
	DropPacket(ctx context.Context, name string, g myriad.Guard) (myriad.Packet, error)
	// PacketGone forgets a packet that was dropped; it has no effect on one that was not.
	PacketGone(ctx context.Context, name string) error
	// Packet reads a packet; CodeNotFound.
	Packet(ctx context.Context, name string) (myriad.Packet, error)
	// UnsyncedPackets lists packets that the graph may not show as they are, those that changed first first.
	UnsyncedPackets(ctx context.Context, limit int) ([]myriad.PacketChange, error)
	// SetKnowledge replaces a knowledge packet's knowledge, as PutPacket would.
	SetKnowledge(ctx context.Context, name string, k myriad.Knowledge) (myriad.Packet, error)

	// Enqueue keeps an entry. A second one of the same kind and agent (wake) or concept (grow) is CodeConflict.
	Enqueue(ctx context.Context, e myriad.QueueEntry) error
	// Dequeue forgets an entry; one that is not there is no error.
	Dequeue(ctx context.Context, id string) error
	// Queue lists all entries: high priority first, then the oldest, then by id.
	Queue(ctx context.Context) ([]myriad.QueueEntry, error)

	PutInstance(ctx context.Context, r myriad.InstanceRecord) error
	DropInstance(ctx context.Context, id string) error
	Instances(ctx context.Context) ([]myriad.InstanceRecord, error)

	// OwnerID names the data directory.
	OwnerID() string
}

// graph shows agents to those who look for them. A write that comes back without a revision is kept by the graph's keeper and not done yet.
type graph interface {
	PutAgent(ctx context.Context, a myriad.Agent, g myriad.Guard) (myriad.Agent, error)
	DeleteAgent(ctx context.Context, name string, g myriad.Guard) (myriad.Agent, error)
	Agent(ctx context.Context, name string) (myriad.Agent, error)
	Agents(ctx context.Context, page myriad.Page) (agents []myriad.Agent, next string, err error)
}
