package inprocrt

import (
	"net/http"
	"net/url"
	"strings"
)

// Local is the knowledge agent that a URL leads to, so that whoever is in this process can ask it without a network: it answers as it does there,
// from memory and without waiting for anything. It is nil for every other URL, those of Go handlers included, which may take their time.
func (r *Runtime) Local(u *url.URL) http.Handler {
	h := r.host.Load()
	if h == nil || u.Host != h.addr {
		return nil
	}
	id, path := partsOf(u.Path)
	if value, ok := r.instances.Load(id); ok {
		if i := value.(*instance); i.fromMemory() {
			return local{i, path}
		}
	}
	return nil
}

// local is a path of an instance.
type local struct {
	*instance
	path string
}

func (l local) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !l.enter() {
		gone(w, l.id)
		return
	}
	defer l.leave()
	l.serve(w, within(r, l.path))
}

// partsOf are the instance's id and the path that it knows, of the path of a URL.
func partsOf(full string) (id, path string) {
	full = strings.TrimPrefix(full, "/")
	if at := strings.IndexByte(full, '/'); at >= 0 {
		return full[:at], full[at:]
	}
	return full, "/"
}
