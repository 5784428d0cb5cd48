package dockerrt

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestUsageOfASlowDaemon: who does not wait for a daemon's answer is told the last one, and questions are not piled up.
func TestUsageOfASlowDaemon(t *testing.T) {
	asked, answers := make(chan struct{}, 9), make(chan string)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.44")
		if !strings.HasSuffix(r.URL.Path, "/containers/c/stats") {
			return
		}
		asked <- struct{}{}
		select {
		case answer := <-answers:
			_, _ = w.Write([]byte(answer))
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	r, err := New(Config{Host: "tcp://" + strings.TrimPrefix(srv.URL, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{r: r, id: "c", exited: make(chan struct{})}
	impatient := func() context.Context { // ends when the daemon was asked
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-asked; cancel() }()
		return ctx
	}
	if u, ok := i.Usage(impatient()); ok {
		t.Errorf("before there is an answer: %+v", u)
	}
	go func() {
		answers <- `{"pids_stats":{"current":3},"memory_stats":{"usage":70,"stats":{"inactive_file":20}},"cpu_stats":{"cpu_usage":{"total_usage":2000000000}}}`
	}()
	for range 2 { // the answer to the question that is under way; then, while the next is, that one again
		if u, ok := i.Usage(t.Context()); !ok || u.PIDs != 3 || u.MemoryBytes != 50 || u.CPUSeconds != 2 {
			t.Errorf("usage %+v, %v", u, ok)
		}
	}
	<-asked
	if len(asked) != 0 {
		t.Error("asked again while a question is under way")
	}
	close(i.exited)
	if u, ok := i.Usage(t.Context()); ok {
		t.Errorf("of a container that is gone: %+v", u)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Errorf("a question is left behind: %v", err)
	}
}
