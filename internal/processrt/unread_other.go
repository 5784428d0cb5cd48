//go:build !linux

package processrt

import "os"

// unread cannot tell here.
func unread(*os.File) int { return -1 }
