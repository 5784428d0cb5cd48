package main

import (
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
)

// remote is where client commands find their server.
type remote struct {
	server    string
	tokenFile string
}

// bind adds the flags of client commands; the environment gives their defaults.
func (r *remote) bind(cmd *cobra.Command) {
	server := os.Getenv("MYRIAD_SERVER")
	if server == "" {
		server = client.DefaultServer
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&r.server, "server", server, "URL of the server (MYRIAD_SERVER)")
	flags.StringVar(&r.tokenFile, "token-file", os.Getenv("MYRIAD_TOKEN_FILE"),
		"file that holds the server's token (MYRIAD_TOKEN_FILE); by default, for a server on this machine, the one in the data directory")
}

func (r *remote) client() (*client.Client, error) {
	c, err := client.New(client.Config{Server: r.server, TokenFile: r.token(), UserAgent: "myriad/" + version()})
	return c, usageError(err)
}

// token is the file of the token that the server gets to see: no other machine's gets this one's unless told so.
func (r *remote) token() string {
	if r.tokenFile == "" && r.local() {
		return ownToken()
	}
	return r.tokenFile
}

// with runs f with a client that is closed after it. Where the token is missing it says how to name it.
func (r *remote) with(f func(*client.Client) error) error {
	c, err := r.client()
	if err != nil {
		return err
	}
	defer c.Close()
	err = f(c)
	if myriad.ErrorCode(err) == myriad.CodeUnauthorized {
		return &myriad.Error{Code: myriad.CodeUnauthorized, Err: err, Message: err.Error() + "\nthe token is in the file " + config.TokenName +
			" of the server's data directory: name it with --token-file, or set MYRIAD_DATA to the directory"}
	}
	return err
}

// local says whether the server is on this machine, so that paths mean the same to it.
func (r *remote) local() bool {
	u, err := url.Parse(r.server)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return strings.EqualFold(u.Hostname(), "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// ownToken is the token file of a server of this user on this machine, "" when there is none that can be read.
func ownToken() string {
	dir := os.Getenv("MYRIAD_DATA")
	if dir == "" {
		dir = config.DefaultData()
	}
	file := filepath.Join(dir, config.TokenName)
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	f.Close()
	return file
}
