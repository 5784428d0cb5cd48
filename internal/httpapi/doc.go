// Package httpapi is Myriad's face over HTTP: the native routes under /v1, the routes that clients of the Python system know, probes,
// event streams, and the OpenAPI document of them all.
//
// routes.go is the one table of routes; the mux and the document are both made from it (api.go, openapi.go). A request passes the
// middleware of guard.go (panics, Host, Origin, token), has its body read by body.go, and ends in a handler that returns an error or has
// written its reply. Errors become problem+json, or {"error": text} on the compatible routes, in problem.go.
package httpapi
