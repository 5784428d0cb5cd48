package processrt

import (
	"strconv"

	"golang.org/x/sys/windows"
)

// startMark tells a process from an earlier one of its pid; "" when it is not there.
func startMark(pid int) string {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return ""
	}
	var made, exited, kernel, user windows.Filetime
	err = windows.GetProcessTimes(h, &made, &exited, &kernel, &user)
	_ = windows.CloseHandle(h)
	if err != nil {
		return ""
	}
	return strconv.FormatInt(made.Nanoseconds(), 10)
}
