//go:build !unix

package processrt

import (
	"os"
	"os/exec"
	"syscall"
)

// ownSession does nothing: there are no process groups that could be signalled.
func ownSession(*exec.Cmd) {}

// askGroup ends p: a process cannot be asked to.
func askGroup(p *os.Process) { _ = p.Kill() } // gone is what was asked for

// killGroup ends p alone; what it started goes on. Unenforced names that.
func killGroup(p *os.Process) { _ = p.Kill() } // gone is what was asked for

// errNotExecutable is what the system says to a file that is no program: ERROR_BAD_EXE_FORMAT on Windows.
const errNotExecutable = syscall.Errno(193)
