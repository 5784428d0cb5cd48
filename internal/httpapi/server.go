package httpapi

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The limits of a server's connections. There is no WriteTimeout and no ReadTimeout: they would end long streams and large bodies alike;
// every write and every body has a deadline of its own instead.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
	maxH2Streams   = 250
)

// ServerConfig is what a Server is made of.
type ServerConfig struct {
	API     *API
	TLS     *tls.Config     // nil: plain HTTP
	Context context.Context // base of all requests' contexts; nil: context.Background()
	Logger  *slog.Logger    // of what connections do wrong, at level debug; nil: slog.Default()
}

// Server makes an http.Server for the API. Its Shutdown ends the event streams and waits for the other requests.
func Server(cfg ServerConfig) *http.Server {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &http.Server{
		Handler:           cfg.API.Handler(),
		TLSConfig:         cfg.TLS,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxH2Streams},
	}
	if cfg.Context != nil {
		s.BaseContext = func(net.Listener) context.Context { return cfg.Context }
	}
	s.RegisterOnShutdown(cfg.API.Close)
	return s
}
