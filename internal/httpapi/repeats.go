package httpapi

import (
	"fmt"
	"reflect"

	"github.com/myriad-mind/myriad"
)

// repeats notes fields that an object names more than once: which of them was meant cannot be told. raw is valid JSON; what is not of the type t
// is told by value.
func (c *shapeCheck) repeats(path string, raw []byte, t reflect.Type) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == rawType || t == timeType:
	case t.Kind() == reflect.Struct:
		known := fieldsOf(t)
		c.members(path, raw, func(name string) reflect.Type { return known[name] })
	case t.Kind() == reflect.Map:
		c.members(path, raw, func(string) reflect.Type { return t.Elem() })
	case t.Kind() == reflect.Slice && nests(t.Elem()):
		for i, e := range myriad.Elements(raw) {
			c.repeats(fmt.Sprintf("%s[%d]", path, i), e, t.Elem())
		}
	}
}

// members looks at the fields of one object; of tells their types, nil for those that are none.
func (c *shapeCheck) members(path string, raw []byte, of func(name string) reflect.Type) {
	times := map[string]int{}
	for name, value := range myriad.Fields(raw) {
		key := string(name)
		t := of(key)
		if t == nil {
			continue // no field here, which is told already
		}
		if times[key]++; times[key] == 2 {
			c.add(join(path, key), "is given more than once")
		}
		if nests(t) {
			c.repeats(join(path, key), value, t)
		}
	}
}

// nests says whether a value of type t may hold fields.
func nests(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		return nests(t.Elem())
	}
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Map
}
