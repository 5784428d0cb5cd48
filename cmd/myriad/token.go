package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/config"
)

// ensureToken reads the server's token from its file. The one in the data directory is made, for its owner's eyes only, when it is not there.
func ensureToken(cfg config.Config) (string, error) {
	own := filepath.Join(cfg.Data, config.TokenName)
	file := cfg.TokenFile
	if file == "" {
		file = own
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && file == own {
		return makeToken(own)
	}
	if err != nil {
		return "", myriad.Errorf(myriad.CodeInvalid, "token_file: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if len(token) < 16 {
		return "", myriad.Errorf(myriad.CodeInvalid, "token_file: the token in %s has fewer than 16 characters", file)
	}
	return token, nil
}

// makeToken writes a fresh token whole or not at all.
func makeToken(file string) (string, error) {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails
	token := hex.EncodeToString(secret[:])
	fresh := file + ".new"
	if err := os.WriteFile(fresh, []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("make the token: %w", err)
	}
	if err := os.Rename(fresh, file); err != nil {
		return "", fmt.Errorf("make the token: %w", err)
	}
	return token, nil
}
