package myriad

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSONString appends s as a JSON string; what is not UTF-8 becomes the replacement character.
func AppendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			b = append(append(b, s[from:i]...), "\ufffd"...)
			i++
			from = i
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// AppendJSONRaw appends JSON as it was written, on one line (white space between tokens goes when it holds line breaks), and null for nothing.
func AppendJSONRaw(b []byte, raw []byte) []byte {
	if len(raw) == 0 {
		return append(b, "null"...)
	}
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return append(b, raw...)
	}
	line := bytes.NewBuffer(b)
	if err := json.Compact(line, raw); err != nil { // not JSON: our caller's defect, kept visible and harmless
		return append(b, "null"...)
	}
	return line.Bytes()
}

// appendFloat appends f in the form encoding/json gives it; what JSON cannot say is 0.
func appendFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, '0')
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, f, format, -1, 64)
}

func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// object appends the members of a JSON object; members with an empty value are the business of who calls.
type object struct {
	b     []byte
	first bool
}

func begin(b []byte) object { return object{b: append(b, '{'), first: true} }

func (o *object) end() []byte { return append(o.b, '}') }

func (o *object) key(name string) {
	if !o.first {
		o.b = append(o.b, ',')
	}
	o.first = false
	o.b = append(append(append(o.b, '"'), name...), '"', ':')
}

// anyKey is key for a name that is not one of ours and may need escaping.
func (o *object) anyKey(name string) {
	if !o.first {
		o.b = append(o.b, ',')
	}
	o.first = false
	o.b = append(AppendJSONString(o.b, name), ':')
}

// value writes what has no appender of its own by reflection; what cannot be written is null.
func (o *object) value(name string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		raw = nil
	}
	o.raw(name, raw)
}

func (o *object) str(name, value string) {
	o.key(name)
	o.b = AppendJSONString(o.b, value)
}

func (o *object) raw(name string, value []byte) {
	o.key(name)
	o.b = AppendJSONRaw(o.b, value)
}

func (o *object) num(name string, value float64) {
	o.key(name)
	o.b = appendFloat(o.b, value)
}

func (o *object) int(name string, value int64) {
	o.key(name)
	o.b = strconv.AppendInt(o.b, value, 10)
}

func (o *object) bool(name string, value bool) {
	o.key(name)
	o.b = strconv.AppendBool(o.b, value)
}

func (o *object) time(name string, value time.Time) {
	o.key(name)
	o.b = appendTime(o.b, value)
}

// optional members: absent when empty.

func (o *object) optStr(name, value string) {
	if value != "" {
		o.str(name, value)
	}
}

func (o *object) optInt(name string, value int64) {
	if value != 0 {
		o.int(name, value)
	}
}

func (o *object) optNum(name string, value float64) {
	if value != 0 {
		o.num(name, value)
	}
}
