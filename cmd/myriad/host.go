package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/inprocrt"
)

const (
	hostGrace     = 10 * time.Second // for jobs under way when the host is asked to end; who asked kills it when that is too long
	hostPort      = "5000"
	maxHostPacket = 32 << 20 // bytes
)

// hostCommand serves one knowledge agent: it is what runs in the containers of the agent host image (deploy/agent-host). The packet comes in
// MYRIAD_PACKET, or in the file that MYRIAD_PACKET_FILE names; PORT and MYRIAD_NONCE are as for any agent of the fleet.
func hostCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{Use: "host", Short: "Serve the knowledge agent of one packet, inside a container", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := hostedPacket()
			if err != nil {
				return err
			}
			a, err := newHosted(p, os.Getenv("MYRIAD_NONCE"))
			if err != nil {
				return err
			}
			// All addresses: a container's own loopback is out of reach for who published its port.
			var lc net.ListenConfig
			ln, err := lc.Listen(cmd.Context(), "tcp", cmp.Or(listen, net.JoinHostPort("0.0.0.0", cmp.Or(os.Getenv("PORT"), hostPort))))
			if err != nil {
				return fmt.Errorf("agent %s: listen: %w", a.Name(), err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "agent %s, revision %d, listens at %s\n", a.Name(), p.Revision, ln.Addr())
			return host(cmd.Context(), ln, a)
		}}
	cmd.Flags().StringVar(&listen, "listen", "", "address to listen at (all addresses at $PORT)")
	return cmd
}

// hostedPacket reads the packet that the host was given.
func hostedPacket() (p myriad.Packet, err error) {
	raw, from := []byte(os.Getenv("MYRIAD_PACKET")), "MYRIAD_PACKET"
	if len(raw) == 0 {
		from = os.Getenv("MYRIAD_PACKET_FILE")
		if from == "" {
			return p, myriad.Errorf(myriad.CodeInvalid, "there is no packet to host: MYRIAD_PACKET holds it, or MYRIAD_PACKET_FILE names its file")
		}
		info, err := os.Stat(from)
		if err == nil && info.Size() > maxHostPacket {
			return p, myriad.Errorf(myriad.CodeTooLarge, "%s is over %d bytes", from, maxHostPacket)
		}
		if raw, err = os.ReadFile(from); err != nil {
			return p, myriad.Errorf(myriad.CodeInvalid, "read the packet: %w", err)
		}
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, myriad.Errorf(myriad.CodeInvalid, "%s holds no packet: %w", from, err)
	}
	return p, nil
}

// hosted is a knowledge agent whose container is to go when POST /retire comes: it says what it was told, so that its packet can follow, and
// from then on refuses to be told more, which would go with the container.
type hosted struct {
	*inprocrt.KnowledgeAgent
	nonce string

	mu      sync.Mutex        // guards what follows
	learned *myriad.Knowledge // nil until it was told something
	retired bool
}

func newHosted(p myriad.Packet, nonce string) (*hosted, error) {
	h := &hosted{nonce: nonce}
	a, err := inprocrt.NewKnowledge(p, inprocrt.KnowledgeOptions{Nonce: nonce, Learned: h.learn})
	h.KnowledgeAgent = a
	return h, err
}

func (h *hosted) learn(agent string, k myriad.Knowledge) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.retired {
		return myriad.Errorf(myriad.CodeUnavailable, "agent %s is about to end here, and learns nothing more: tell its next instance", agent)
	}
	h.learned = &k
	return nil
}

func (h *hosted) retire() *myriad.Knowledge {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.retired = true
	return h.learned
}

func (h *hosted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/retire" || r.Method != http.MethodPost {
		h.KnowledgeAgent.ServeHTTP(w, r)
		return
	}
	learned := h.retire()
	if learned == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"nonce": h.nonce, "knowledge": learned}) // who asked may be gone
}

// host serves h on ln, which it closes, until ctx ends; then jobs under way may finish within the grace.
func host(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), hostGrace)
	defer cancel()
	err := srv.Shutdown(grace)
	if err != nil {
		err = fmt.Errorf("jobs were cut off after a grace of %s: %w", hostGrace, err)
		_ = srv.Close() // what is cut off is told already
	}
	<-served
	return err
}
