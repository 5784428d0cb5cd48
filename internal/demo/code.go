package demo

import (
	"encoding/json"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// checkFences looks for code blocks that are not closed: everything after them shows as code.
func checkFences(d *document) verdict {
	v := newVerdict(d.file)
	for _, f := range d.fences {
		if !f.closed {
			v.add(f.line, wrong, "the code block that begins here is not closed")
		}
	}
	return v
}

// checkBlocks parses the code blocks that say they are JSON or YAML.
func checkBlocks(d *document) verdict {
	v := newVerdict(d.file)
	for _, f := range d.fences {
		var err error
		switch f.lang {
		case "json":
			err = parseJSON(f.code)
		case "jsonl", "ndjson":
			for line := range strings.Lines(f.code) {
				if strings.TrimSpace(line) != "" && err == nil {
					err = parseJSON(line)
				}
			}
		case "yaml", "yml":
			err = parseYAML(f.code)
		default:
			continue
		}
		if err != nil {
			v.add(f.line, doubtful, "this %s block does not parse: %s", f.lang, short(err.Error(), 120))
		}
	}
	return v
}

// parseJSON takes one value or several, one after the other.
func parseJSON(s string) error {
	dec := json.NewDecoder(strings.NewReader(s))
	for n := 0; ; n++ {
		var v any
		switch err := dec.Decode(&v); {
		case errors.Is(err, io.EOF) && n == 0:
			return errors.New("it is empty")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func parseYAML(s string) error {
	dec := yaml.NewDecoder(strings.NewReader(s))
	for {
		var v yaml.Node
		switch err := dec.Decode(&v); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
