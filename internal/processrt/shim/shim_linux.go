package shim

import (
	"os"
	"slices"
	"syscall"
)

// name is argv[0] of an executable that is started to be a child's first moment.
const name = "myriad-shim"

// failed is the exit status of a shim that could not become its program.
const failed = 126

// Path is the executable that is the shim: this one, also when its file has been replaced.
const Path = "/proc/self/exe"

// Args makes the arguments with which Path joins cgroups, named by their files cgroup.procs, and becomes the program path with argv.
func Args(joins []string, path string, argv []string) []string {
	return slices.Concat([]string{name}, joins, []string{"--", path}, argv)
}

// init is where a process that was started as a shim ends: it becomes its program, or says why it cannot.
func init() {
	if len(os.Args) > 0 && os.Args[0] == name {
		become(os.Args[1:])
	}
}

func become(args []string) {
	at := slices.Index(args, "--")
	if at < 0 || len(args) < at+3 {
		fail("it is started by the server alone")
	}
	for _, procs := range args[:at] {
		if err := join(procs); err != nil {
			fail("join " + procs + ": " + err.Error())
		}
	}
	fail("start " + args[at+1] + ": " + syscall.Exec(args[at+1], args[at+2:], os.Environ()).Error())
}

// join moves this process into the cgroup that procs belongs to.
func join(procs string) error {
	fd, err := syscall.Open(procs, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_, err = syscall.Write(fd, []byte("0"))
	_ = syscall.Close(fd) // nothing is buffered
	return err
}

func fail(why string) {
	_, _ = os.Stderr.WriteString(name + ": " + why + "\n") // the status says it too
	os.Exit(failed)
}
