package sqlitestore

import (
	"reflect"
	"strings"

	"github.com/myriad-mind/myriad"
)

// agentFields are the names of an agent's own properties, read from the type so that they cannot fall behind it.
var agentFields = jsonNames(reflect.TypeFor[myriad.Agent]())

func jsonNames(t reflect.Type) []string {
	var names []string
	for field := range t.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
