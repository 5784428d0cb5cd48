package call

import (
	"net/url"

	"github.com/myriad-mind/myriad"
)

// target is an endpoint, taken apart once.
type target struct {
	endpoint string // as stored
	url      *url.URL
	wrong    *fault // set instead of url
}

// newTarget reads an endpoint: with a path it is used as stored, without one jobs go to /query.
func newTarget(endpoint string) *target {
	t := &target{endpoint: endpoint}
	u, err := url.Parse(endpoint)
	switch {
	case endpoint == "":
		t.wrong = &fault{code: myriad.TaskErrEndpoint, text: "the agent has no endpoint"}
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https": // err would quote the URL, which may hold a password
		t.wrong = &fault{code: myriad.TaskErrEndpoint, text: "the agent's endpoint is no http or https URL"}
	case u.User != nil:
		t.wrong = &fault{code: myriad.TaskErrEndpoint, text: "the agent's endpoint holds credentials; they belong into its auth"}
	default:
		if u.Path == "" || u.Path == "/" {
			u.Path = "/query"
		}
		u.Fragment, u.RawFragment = "", ""
		t.url = u
	}
	return t
}
