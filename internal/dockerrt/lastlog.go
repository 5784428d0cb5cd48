package dockerrt

import (
	"context"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

const (
	maxLastLog  = 8 << 10 // bytes
	tailLines   = "200"
	tailTimeout = 2 * time.Second
	maxLastLine = 300 // bytes of a log's last line in an error
)

// LastLog is the end of the container's standard output and error.
func (i *instance) LastLog() string {
	if !i.gone() {
		ctx, cancel := context.WithTimeout(context.Background(), tailTimeout)
		defer cancel()
		if last, err := i.tail(ctx); err == nil {
			return last
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.last
}

// tail asks the daemon for the end of the log.
func (i *instance) tail(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, tailTimeout)
	defer cancel()
	body, err := i.r.docker.ContainerLogs(ctx, i.id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: tailLines})
	if err != nil {
		return "", err
	}
	defer body.Close()
	var end ending
	_, err = stdcopy.StdCopy(&end, &end, body)
	return end.String(), err
}

// ending keeps the end of what is written to it.
type ending struct{ kept []byte }

func (e *ending) Write(p []byte) (int, error) {
	n := len(p)
	p = p[max(0, n-maxLastLog):]
	if over := len(e.kept) + len(p) - maxLastLog; over > 0 {
		e.kept = append(e.kept[:0], e.kept[over:]...)
	}
	e.kept = append(e.kept, p...)
	return n, nil
}

func (e *ending) String() string { return strings.ToValidUTF8(string(e.kept), "") }

// lastLine is the last line of a log that is not blank, of a length that fits into an error.
func lastLine(log string) string {
	log = strings.TrimSpace(log)
	line := strings.TrimSpace(log[strings.LastIndexByte(log, '\n')+1:])
	return strings.ToValidUTF8(line[:min(len(line), maxLastLine)], "")
}
