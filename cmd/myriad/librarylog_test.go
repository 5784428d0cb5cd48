package main

import (
	"bytes"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestUnsolicitedAnswersAreLogged: an agent that sends an answer nobody asked for ends in our log, at debug level and cut short.
func TestUnsolicitedAnswersAreLogged(t *testing.T) {
	said := make(chan string, 1)
	back := takeLibraryLog(slog.New(slog.NewTextHandler(lines(said), &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer back()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Read(make([]byte, 1000))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.WriteString(c, strings.Repeat("x", 2000))
		_, _ = c.Read(make([]byte, 1))
	}()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	select {
	case line := <-said:
		if !strings.Contains(line, "level=DEBUG") || !strings.Contains(line, "Unsolicited response") || len(line) > 2*maxLibraryLine {
			t.Errorf("got %q", line)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing was logged")
	}
}

func TestStandardLogComesBack(t *testing.T) {
	var before bytes.Buffer
	writer := log.Writer()
	log.SetOutput(&before)
	defer log.SetOutput(writer)
	takeLibraryLog(slog.New(slog.DiscardHandler))()
	log.Print("again as before")
	if !strings.Contains(before.String(), "again as before") {
		t.Errorf("got %q", before.String())
	}
}

// lines hands every line that is written to a channel, the first ones while it has room.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}
