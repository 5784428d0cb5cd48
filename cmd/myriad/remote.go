package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

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
		"file that holds the server's token (MYRIAD_TOKEN_FILE); by default the one in the data directory, if there is one")
}

func (r *remote) client() (*client.Client, error) {
	file := r.tokenFile
	if file == "" {
		file = ownToken()
	}
	c, err := client.New(client.Config{Server: r.server, TokenFile: file, UserAgent: "myriad/" + version()})
	return c, usageError(err)
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
