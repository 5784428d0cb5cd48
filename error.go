package myriad

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Code says what kind of mistake or failure an Error is. Codes are stable: clients may compare them.
type Code string

// The codes of requests. What has no code is CodeInternal to a user.
const (
	CodeInvalid         Code = "invalid_request"        // the request breaks a rule; Mistakes name field and rule
	CodeUnauthorized    Code = "unauthorized"           // no token, or not the right one
	CodeForbidden       Code = "forbidden"              // foreign origin or host, or a network the policy denies
	CodeNotFound        Code = "not_found"              // no such run, agent, concept or route
	CodeMethod          Code = "method_not_allowed"     // the route exists, the method does not
	CodeConflict        Code = "conflict"               // name taken, or owned by the agents file
	CodePrecondition    Code = "precondition_failed"    // If-Match does not name the present revision
	CodeKeyReused       Code = "idempotency_key_reused" // same Idempotency-Key, another body
	CodeTooLarge        Code = "too_large"              // body, job, answer or results over their limit
	CodeMediaType       Code = "unsupported_media_type" // a changing request that is not application/json in UTF-8, or is compressed
	CodeOverloaded      Code = "overloaded"             // admission is full; RetryAfter says when to try again
	CodeDraining        Code = "draining"               // the server is shutting down and takes no new work
	CodeUnavailable     Code = "unavailable"            // a dependency (the graph, the store) does not answer
	CodeDeadline        Code = "deadline_exceeded"      // the caller's deadline passed
	CodeCancelled       Code = "cancelled"              // the caller left or asked to stop
	CodeInternal        Code = "internal"               // a defect of ours
	CodeNotImplemented  Code = "not_implemented"        // this build or platform lacks it
	CodeSchemaTooNew    Code = "schema_too_new"         // the store was written by a newer program
	CodeStoreInUse      Code = "store_in_use"           // another process holds the data directory
	CodeUnsupportedHost Code = "unsupported_platform"   // the platform lacks what was asked for
)

// codes is the one table from codes to HTTP status; server and client both read it.
var codes = map[Code]int{
	CodeInvalid: http.StatusBadRequest, CodeUnauthorized: http.StatusUnauthorized, CodeForbidden: http.StatusForbidden,
	CodeNotFound: http.StatusNotFound, CodeMethod: http.StatusMethodNotAllowed, CodeConflict: http.StatusConflict,
	CodePrecondition: http.StatusPreconditionFailed, CodeKeyReused: http.StatusUnprocessableEntity,
	CodeTooLarge: http.StatusRequestEntityTooLarge, CodeMediaType: http.StatusUnsupportedMediaType,
	CodeOverloaded: http.StatusTooManyRequests, CodeDraining: http.StatusServiceUnavailable,
	CodeUnavailable: http.StatusServiceUnavailable, CodeDeadline: http.StatusGatewayTimeout,
	CodeCancelled: 499, CodeInternal: http.StatusInternalServerError, CodeNotImplemented: http.StatusNotImplemented,
	CodeSchemaTooNew: http.StatusInternalServerError, CodeStoreInUse: http.StatusInternalServerError,
	CodeUnsupportedHost: http.StatusNotImplemented,
}

// HTTPStatus is the status a server answers with for c; 500 for a code the table does not know.
func (c Code) HTTPStatus() int {
	if s, ok := codes[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// CodeOfStatus is the code a client assumes for an answer that names none.
func CodeOfStatus(status int) Code {
	for c, s := range codes {
		if s == status && c != CodeDraining && c != CodeSchemaTooNew && c != CodeStoreInUse && c != CodeUnsupportedHost {
			return c
		}
	}
	return CodeInternal
}

// Mistake is one broken rule of a request: where, and which rule. Path is written like tasks[3].dependencies[0]; empty is the whole body.
type Mistake struct {
	Path string `json:"path"`
	Rule string `json:"rule"`
}

// Error is the one error type of Myriad that carries a code. Message is for people; Err, when set, is the wrapped cause.
type Error struct {
	Code       Code
	Message    string
	Mistakes   []Mistake     // every mistake of the request, in reading order
	RetryAfter time.Duration // when trying again may help; 0 when unknown
	Err        error
}

// Errorf makes an Error of code with a formatted message; a %w operand becomes its cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// Invalid makes an Error of CodeInvalid from mistakes; nil when there are none.
func Invalid(mistakes []Mistake) error {
	if len(mistakes) == 0 {
		return nil
	}
	return &Error{Code: CodeInvalid, Message: summary(mistakes), Mistakes: mistakes}
}

func summary(mistakes []Mistake) string {
	var b strings.Builder
	for i, m := range mistakes {
		if i == 3 {
			fmt.Fprintf(&b, "; and %d more", len(mistakes)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		if m.Path != "" {
			b.WriteString(m.Path + ": ")
		}
		b.WriteString(m.Rule)
	}
	return b.String()
}

func (e *Error) Error() string {
	if e.Message == "" && e.Err != nil {
		return e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// ErrorCode is the code of the first Error in err's chain, CodeInternal when there is none, "" for nil.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
