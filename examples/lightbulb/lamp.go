package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/myriad-mind/myriad/agent"
)

// lamp is the one lamp that the function agent switches. It begins off, at 0 %.
type lamp struct {
	mu         sync.Mutex
	on         bool // guarded by mu
	brightness int  // 0..100, guarded by mu
}

func (l *lamp) turnOn() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on = true
	if l.brightness == 0 {
		l.brightness = 100
	}
	return fmt.Sprintf("Lightbulb turned on at %d%% brightness", l.brightness)
}

func (l *lamp) turnOff() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on = false
	return "Lightbulb turned off"
}

func (l *lamp) dim(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.brightness, l.on = n, n > 0
	return fmt.Sprintf("Lightbulb brightness set to %d%%", n)
}

func (l *lamp) status() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.on {
		return "Lightbulb is off"
	}
	return fmt.Sprintf("Lightbulb is on at %d%% brightness", l.brightness)
}

// brightness reads a number, or a text that is a whole number, in 0..100; 50 when there is none. Fractions are cut off.
func brightness(raw json.RawMessage) (int, error) {
	if len(raw) == 0 {
		return 50, nil
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&v); err != nil {
		return 0, agent.Callerf("Invalid brightness value: %s", raw)
	}
	n := math.NaN()
	switch v := v.(type) {
	case float64:
		n = math.Trunc(v)
	case bool:
		if n = 0; v {
			n = 1
		}
	case string:
		if whole, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			n = float64(whole)
		}
	}
	switch {
	case math.IsNaN(n):
		return 0, agent.Callerf("Invalid brightness value: %s", raw)
	case n < 0 || n > 100:
		return 0, agent.Callerf("Brightness must be between 0 and 100")
	}
	return int(n), nil
}
