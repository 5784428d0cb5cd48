//go:build unix

package processrt

import (
	"os"
	"os/exec"
	"syscall"
)

// ownSession makes the child the leader of a session and a process group of its own.
func ownSession(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
}

// askGroup asks the group that p leads to end. Only before p is reaped.
func askGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGTERM) } // gone is what was asked for

// killGroup kills the group that p leads. Only before p is reaped.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) } // gone is what was asked for

// errNotExecutable is what the kernel says to a file that is no program.
const errNotExecutable = syscall.ENOEXEC
