package main

import (
	"bytes"
	"log"
	"log/slog"
)

const maxLibraryLine = 300 // bytes

// libraryLog is where the standard log goes. Nobody of ours writes there, but net/http tells there, with its first bytes, of an answer that an agent
// sent unasked; those connections are closed and never used, so it is worth a debug line, and not one in a format of its own.
type libraryLog struct{ log *slog.Logger }

// Write logs one line. What an agent sent may be long.
func (l libraryLog) Write(line []byte) (int, error) {
	text := bytes.TrimSpace(line)
	l.log.Debug("a library says", "text", string(text[:min(len(text), maxLibraryLine)]))
	return len(line), nil
}

// takeLibraryLog routes the standard log to ours until back is called.
func takeLibraryLog(to *slog.Logger) (back func()) {
	writer, flags := log.Writer(), log.Flags()
	log.SetOutput(libraryLog{to})
	log.SetFlags(0)
	return func() {
		log.SetOutput(writer)
		log.SetFlags(flags)
	}
}
