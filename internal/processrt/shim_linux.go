package processrt

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
)

// shimName is argv[0] of our own executable when it is started to be a child's first moment.
const shimName = "myriad-shim"

// shimmed says that the program asked Shim at its start, so that its executable can be started as one.
var shimmed atomic.Bool

// Shim is the first moment of a child where only a process itself can join its cgroups (version 1): it joins them and becomes the child's
// program, so that no line of that runs outside. args are os.Args. It must be called first thing in main, and in TestMain: it does not
// return when the process was started as a shim, and says false otherwise. Without the call, limits that need it are not enforced.
func Shim(args []string) (ran bool) {
	if len(args) == 0 || args[0] != shimName {
		shimmed.Store(true)
		return false
	}
	at := slices.Index(args, "--")
	if at < 0 || len(args) < at+3 {
		shimFailed("it was started by hand", nil)
	}
	for _, procs := range args[1:at] {
		f, err := os.OpenFile(procs, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString("0")
			_ = f.Close() // nothing is buffered
		}
		if err != nil {
			shimFailed("join the agent's cgroups", err)
		}
	}
	err := syscall.Exec(args[at+1], args[at+2:], os.Environ())
	shimFailed("start "+args[at+1], err)
	return true
}

func shimFailed(doing string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %s: %v\n", shimName, doing, err)
	os.Exit(126)
}

// behindShim makes a command line that joins the groups and then is path with argv.
func behindShim(joins []string, path string, argv []string) []string {
	return slices.Concat([]string{shimName}, joins, []string{"--", path}, argv)
}
