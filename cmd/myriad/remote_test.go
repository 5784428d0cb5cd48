package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/myriad-mind/myriad/internal/config"
)

// The token in the data directory opens the server that made it; no other machine's server gets to see it unless its file is named.
func TestOwnTokenIsForThisMachine(t *testing.T) {
	data := t.TempDir()
	t.Setenv("MYRIAD_DATA", data)
	own := filepath.Join(data, config.TokenName)
	if err := os.WriteFile(own, []byte("secret-of-this-machine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ server, named, want string }{
		{"http://127.0.0.1:5000", "", own},
		{"http://[::1]:5000", "", own},
		{"https://LocalHost", "", own},
		{"http://10.0.0.1:5000", "", ""},
		{"http://localhost.example.org", "", ""},
		{"http://127.0.0.1.example.org", "", ""},
		{"http://127.0.0.1@example.org", "", ""},
		{"http://example.org", own, own},
		{"http://127.0.0.1:5000", "other", "other"},
	} {
		if got := (&remote{server: c.server, tokenFile: c.named}).token(); got != c.want {
			t.Errorf("%s, --token-file %q: %q, want %q", c.server, c.named, got, c.want)
		}
	}
}
