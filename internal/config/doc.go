// Package config is the one configuration of a server: a struct, the sources of its values and their order (flags over environment over file over
// defaults), and the rules that hold for the whole of it. Start reading at Config; table.go lists every key.
package config
