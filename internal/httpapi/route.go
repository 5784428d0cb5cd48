package httpapi

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// route is one row of the table: what the mux serves and what the OpenAPI document says of it.
type route struct {
	method  string
	path    string // a ServeMux pattern's path
	id      string // operationId
	summary string
	tag     string
	dialect dialect
	probe   bool // needs neither a token nor a Host of ours
	body    *body
	params  []param
	replies []reply // what the handler itself answers; what every route may fail with is added by failures
	handle  handler
	done    func(err error, took time.Duration) // told how each request ended; nil: nobody is
}

// handler serves one route. body is the whole body, nil when there was none. An error it returns is written in the route's dialect, so it
// must not have begun a reply then.
type handler func(w *responder, r *http.Request, body []byte) error

// body is what a route reads: JSON of one type.
type body struct {
	of    reflect.Type
	limit int64 // bytes; 0 is Config.MaxBody
}

// param is a parameter in path, query or header.
type param struct {
	in, name, about string
	kind            string // JSON type; "" is string
}

// reply is one answer of a route: of is the type of its JSON body, nil for none or for what is not JSON.
type reply struct {
	status  int
	about   string
	of      reflect.Type
	media   string   // "" is application/json when of is set
	headers []string // that come with it
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// takes is the body of JSON type T within limit bytes (0: the configured limit).
func takes[T any](limit int64) *body { return &body{of: typeOf[T](), limit: limit} }

// gives is a reply of JSON type T.
func gives[T any](status int, about string, headers ...string) reply {
	return reply{status: status, about: about, of: typeOf[T](), headers: headers}
}

// plain is a reply without a JSON body.
func plain(status int, about, media string) reply {
	return reply{status: status, about: about, media: media}
}

// fails are replies of the route's own with a failure's body.
func (rt *route) fails(codes ...myriad.Code) []reply {
	out := make([]reply, 0, len(codes))
	for _, c := range codes {
		out = append(out, rt.failure(c.HTTPStatus(), title(c)))
	}
	return out
}

func (rt *route) failure(status int, about string) reply {
	rep := reply{status: status, about: about, of: typeOf[CompatError]()}
	switch rt.dialect {
	case native:
		rep.of, rep.media = typeOf[Problem](), typeProblem
	case tester:
		rep.of = typeOf[TesterError]()
	}
	switch status {
	case http.StatusUnauthorized:
		rep.headers = []string{"WWW-Authenticate"}
	case http.StatusUnsupportedMediaType:
		rep.headers = []string{"Accept-Encoding"}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		rep.headers = []string{"Retry-After"}
	}
	return rep
}

// common are the failures that the way to the handler adds, and those of any handler.
func (rt *route) common() []reply {
	codes := []myriad.Code{myriad.CodeInvalid, myriad.CodeInternal}
	if !rt.probe {
		codes = append(codes, myriad.CodeForbidden, myriad.CodeUnauthorized)
	}
	if rt.body != nil {
		codes = append(codes, myriad.CodeMediaType)
	}
	codes = append(codes, myriad.CodeTooLarge, myriad.CodeOverloaded, myriad.CodeUnavailable, myriad.CodeDeadline)
	return append(rt.fails(codes...), rt.failure(http.StatusRequestTimeout, "The body did not come in time"))
}

// all are the replies of the route, one for each status and media type, the handler's own first.
func (rt *route) all() []reply {
	var out []reply
	for _, rep := range slices.Concat(rt.replies, rt.common()) {
		if !slices.ContainsFunc(out, func(o reply) bool { return o.status == rep.status && o.mediaType() == rep.mediaType() }) {
			out = append(out, rep)
		}
	}
	return out
}

func (rep reply) mediaType() string {
	if rep.media == "" && rep.of != nil {
		return typeJSON
	}
	return rep.media
}

// changes says whether a method may change something.
func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// checkQuery refuses query parameters that a native route does not know, so that a misspelt one is not passed over, and those given more than once,
// of which it cannot be told which was meant.
func (rt *route) checkQuery(r *http.Request) error {
	if r.URL.RawQuery == "" || rt.dialect != native {
		return nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return myriad.Invalid([]myriad.Mistake{{Path: "query", Rule: "is malformed: " + err.Error()}})
	}
	var mistakes []myriad.Mistake
	for _, name := range sortedKeys(query) {
		known := slices.ContainsFunc(rt.params, func(p param) bool { return p.in == "query" && p.name == name })
		switch {
		case !known:
			mistakes = append(mistakes, myriad.Mistake{Path: "query." + name, Rule: "is no parameter of this route"})
		case len(query[name]) > 1:
			mistakes = append(mistakes, myriad.Mistake{Path: "query." + name, Rule: "is given more than once"})
		}
	}
	return myriad.Invalid(mistakes)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// methodsOf are the methods that the mux knows at the request's path, HEAD where there is GET.
func methodsOf(mux *http.ServeMux, r *http.Request) []string {
	var out []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		asked := &http.Request{Method: m, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(asked); pattern != "" && strings.Contains(pattern, " ") {
			out = append(out, m)
		}
	}
	return out
}
