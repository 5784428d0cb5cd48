package processrt

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// startMark tells a process from an earlier one of its pid; "" when it is not there.
func startMark(pid int) string {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid {
		return ""
	}
	t := info.Proc.P_starttime
	return strconv.FormatInt(t.Sec, 10) + "." + strconv.FormatInt(int64(t.Usec), 10)
}
