//go:build !linux

package processrt

import "os"

// unread cannot tell here; the worker's reader sees such a line a moment later.
func unread(*os.File) bool { return false }
