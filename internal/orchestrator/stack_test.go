package orchestrator

import "runtime/debug"

func stackHere() string { return string(debug.Stack()) }
