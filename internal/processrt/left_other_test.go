//go:build !linux

package processrt

import "testing"

// leftOf sees nothing here.
func leftOf(testing.TB, string) []string { return nil }

// countDescriptors cannot count here.
func countDescriptors(testing.TB) int { return 0 }

// groupsOf are none: there are no cgroups.
func groupsOf(string) []string { return nil }

const seesProcesses = false

// ownerPIDs sees nothing here.
func ownerPIDs(string) []int { return nil }

// gone cannot be seen here.
func gone(testing.TB, int) {}
