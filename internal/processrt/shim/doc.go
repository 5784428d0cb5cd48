// Package shim is the first moment of a child where only a process itself can join its cgroups (version 1 of cgroups): the server starts its
// own executable once more, under another name; that joins the cgroups and becomes the child's program, so that no line of the program runs
// outside of its limits.
//
// It is a package of its own, which imports next to nothing, because Go initialises packages as soon as what they import is: this one comes
// before nearly everything else that is linked into the server, whose initialisation takes longer than the whole start of a program.
package shim
