//go:build !linux

package processrt

// Shim says false: only Linux needs one. It is called first thing in main all the same.
func Shim([]string) (ran bool) { return false }
