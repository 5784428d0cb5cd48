package httpapi

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestServerHasLimitsButNoneThatEndStreams(t *testing.T) {
	w := newWorld(t)
	type key struct{}
	s := Server(ServerConfig{API: w.api, Context: context.WithValue(t.Context(), key{}, "base")})
	if s.ReadHeaderTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.WriteTimeout != 0 || s.ReadTimeout != 0 {
		t.Errorf("limits: %+v", s)
	}
	if s.BaseContext(nil).Value(key{}) != "base" {
		t.Error("the base context is not the one given")
	}
}

// TestShutdownWaitsForRunsNotForListeners: event streams end, a run under way gets its answer out.
func TestShutdownWaitsForRunsNotForListeners(t *testing.T) {
	w := newWorld(t)
	s := Server(ServerConfig{API: w.api})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	w.url = "http://" + listener.Addr().String()
	events, _ := w.listen("")

	began, finish := make(chan struct{}), make(chan struct{})
	w.runs.do = func(_ context.Context, req myriad.RunRequest) (*myriad.RunRecord, error) {
		close(began)
		<-finish
		return answered(req)
	}
	answer := make(chan int, 1)
	go func() {
		res, err := w.client.Do(w.request("POST", "/v1/runs", onePlan))
		if err != nil {
			answer <- 0
			return
		}
		_ = res.Body.Close()
		answer <- res.StatusCode
	}()
	<-began
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.WithoutCancel(t.Context())) }()
	events.end(t)
	select {
	case err := <-down:
		t.Fatalf("the server went down under a run: %v", err)
	default:
	}
	close(finish)
	if got := <-answer; got != 200 {
		t.Errorf("the run's answer was %d", got)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
}

// TestHeadersThatNeverEnd do not hold a connection.
func TestHeadersThatNeverEnd(t *testing.T) {
	w := newWorld(t)
	s := Server(ServerConfig{API: w.api})
	s.ReadHeaderTimeout = 100 * time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	w.url = "http://" + listener.Addr().String()
	conn := w.dial()
	if _, err := conn.Write([]byte("GET /livez HTTP/1.1\r\nHost: local")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 512)); err != nil {
		if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
			t.Error("the connection is held")
		}
	}
	_ = s.Close()
	<-served
}
