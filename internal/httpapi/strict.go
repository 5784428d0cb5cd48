package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// decodeStrict reads JSON into a value of T; every field that T lacks, every value of a wrong type and every field given twice is a mistake with
// its path.
func decodeStrict[T any](body []byte) (T, error) {
	var out T
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return out, malformed(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return out, malformed(errors.New("something follows the JSON value"))
	}
	var c shapeCheck
	c.value("", tree, typeOf[T]())
	c.repeats("", body, typeOf[T]())
	if err := myriad.Invalid(c.mistakes); err != nil {
		return out, err
	}
	return out, decodeLoose(body, &out)
}

// decodeLoose reads JSON and passes over what it does not know.
func decodeLoose(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return myriad.Invalid([]myriad.Mistake{{Path: wrong.Field, Rule: "must not be a " + wrong.Value}})
	}
	if err != nil {
		return malformed(err)
	}
	return nil
}

func malformed(err error) error {
	rule := "is malformed JSON"
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		rule += " at byte " + strconv.FormatInt(syntax.Offset, 10)
	}
	return &myriad.Error{Code: myriad.CodeInvalid, Message: "the body " + rule + ": " + err.Error(), Err: err,
		Mistakes: []myriad.Mistake{{Rule: rule}}}
}

// shapeCheck compares decoded JSON with a Go type and collects the differences.
type shapeCheck struct{ mistakes []myriad.Mistake }

func (c *shapeCheck) add(path, rule string) {
	c.mistakes = append(c.mistakes, myriad.Mistake{Path: path, Rule: rule})
}

var (
	rawType  = reflect.TypeFor[json.RawMessage]()
	timeType = reflect.TypeFor[time.Time]()
)

func (c *shapeCheck) value(path string, v any, t reflect.Type) {
	if t.Kind() == reflect.Pointer {
		if v == nil {
			return
		}
		t = t.Elem()
	}
	switch {
	case t == rawType || t.Kind() == reflect.Interface:
	case v == nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Map): // as absent
	case t == timeType:
		c.time(path, v)
	case t.Kind() == reflect.Struct:
		c.object(path, v, t)
	case t.Kind() == reflect.Map:
		c.entries(path, v, t.Elem())
	case t.Kind() == reflect.Slice:
		c.elements(path, v, t.Elem())
	default:
		c.scalar(path, v, t)
	}
}

func (c *shapeCheck) object(path string, v any, t reflect.Type) {
	fields, ok := v.(map[string]any)
	if !ok {
		c.add(path, "must be an object")
		return
	}
	known := fieldsOf(t)
	for _, name := range sortedKeys(fields) {
		if ft, ok := known[name]; ok {
			c.value(join(path, name), fields[name], ft)
		} else {
			c.add(join(path, name), "is no field here")
		}
	}
}

// fieldCache holds what fieldsOf has found: the types of our requests, of which there are few.
var fieldCache sync.Map // reflect.Type -> map[string]reflect.Type

// fieldsOf are the types of a struct's JSON fields, not to be changed.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if known, ok := fieldCache.Load(t); ok {
		return known.(map[string]reflect.Type)
	}
	out := make(map[string]reflect.Type, t.NumField())
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			out[name] = f.Type
		}
	}
	fieldCache.Store(t, out)
	return out
}

func (c *shapeCheck) entries(path string, v any, elem reflect.Type) {
	entries, ok := v.(map[string]any)
	if !ok {
		c.add(path, "must be an object")
		return
	}
	for _, name := range sortedKeys(entries) {
		c.value(join(path, name), entries[name], elem)
	}
}

func (c *shapeCheck) elements(path string, v any, elem reflect.Type) {
	list, ok := v.([]any)
	if !ok {
		c.add(path, "must be a list")
		return
	}
	for i, e := range list {
		c.value(fmt.Sprintf("%s[%d]", path, i), e, elem)
	}
}

func (c *shapeCheck) time(path string, v any) {
	s, ok := v.(string)
	if _, err := time.Parse(time.RFC3339, s); !ok || err != nil {
		c.add(path, "must be an RFC 3339 time")
	}
}

var integers = []reflect.Kind{reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64}

func (c *shapeCheck) scalar(path string, v any, t reflect.Type) {
	switch n, isNumber := v.(json.Number); {
	case t.Kind() == reflect.String:
		if _, ok := v.(string); !ok {
			c.add(path, "must be a string")
		}
	case t.Kind() == reflect.Bool:
		if _, ok := v.(bool); !ok {
			c.add(path, "must be true or false")
		}
	case slices.Contains(integers, t.Kind()):
		if _, err := strconv.ParseInt(n.String(), 10, t.Bits()); !isNumber || err != nil {
			c.add(path, "must be a whole number")
		}
	default: // floats; the table's types have no other kinds
		if _, err := n.Float64(); !isNumber || err != nil {
			c.add(path, "must be a number")
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
