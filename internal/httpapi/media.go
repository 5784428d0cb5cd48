package httpapi

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"

	"github.com/myriad-mind/myriad"
)

// checkMediaType wants JSON for a body. Any +json will do on the compatible routes, where a wrong type is a client's mistake like others.
func checkMediaType(r *http.Request, d dialect) error {
	header := r.Header.Get("Content-Type")
	if header == typeJSON { // nearly always
		return nil
	}
	media, _, err := mime.ParseMediaType(header)
	switch {
	case err == nil && media == typeJSON:
		return nil
	case err == nil && d != native && strings.HasSuffix(media, "+json"):
		return nil
	case d != native:
		return myriad.Errorf(myriad.CodeInvalid, "the request needs Content-Type: application/json")
	}
	return myriad.Errorf(myriad.CodeMediaType, "the request needs Content-Type: application/json, it has %q", header)
}

// checkForm wants a body as it is, in UTF-8: no content coding is undone here, and JSON has no other charset. The Python system never looked at
// what a request says of either, so on its routes that only counts when the body cannot be read. There body is the body, on native routes it is nil.
func checkForm(w http.ResponseWriter, r *http.Request, d dialect, body []byte) error {
	coding, charset := codingOf(r), charsetOf(r)
	switch {
	case coding == "" && charset == "": // nearly always
		return nil
	case d != native && json.Valid(body):
		return nil
	case coding != "":
		w.Header().Set("Accept-Encoding", "identity") // what would be taken (RFC 9110, 15.5.16)
		return myriad.Errorf(myriad.CodeMediaType, "Content-Encoding: the body must be sent as it is, not as %.100q", coding)
	}
	return myriad.Errorf(myriad.CodeMediaType, "Content-Type: the charset must be utf-8, not %.100q", charset)
}

// codingOf is the first content coding that would have to be undone, "" when there is none.
func codingOf(r *http.Request) string {
	for _, line := range r.Header["Content-Encoding"] {
		for coding := range strings.SplitSeq(line, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				return coding
			}
		}
	}
	return ""
}

// charsetOf is a charset that is neither UTF-8 nor a part of it, "" when there is none.
func charsetOf(r *http.Request) string {
	header := r.Header.Get("Content-Type")
	if header == typeJSON {
		return ""
	}
	_, params, err := mime.ParseMediaType(header)
	if err != nil {
		return "" // which checkMediaType has told
	}
	switch charset := params["charset"]; strings.ToLower(charset) {
	case "utf-8", "utf8", "us-ascii":
		return ""
	default:
		return charset
	}
}
