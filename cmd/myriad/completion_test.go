package main

import "testing"

// A bug: a shell that is not known got the help, and success, which a script took for completions.
func TestCompletionForAnUnknownShell(t *testing.T) {
	for args, want := range map[string]int{"klingon": exitUsage, "bash": exitOK, "zsh": exitOK, "fish": exitOK, "powershell": exitOK} {
		if code, out, _ := command(t, "", "completion", args); code != want || (len(out) > 0) != (want == exitOK) {
			t.Errorf("completion %s: exit code %d, %d bytes", args, code, len(out))
		}
	}
	if code, out, _ := command(t, "", "completion"); code != exitOK || len(out) == 0 {
		t.Errorf("completion: exit code %d, %d bytes", code, len(out))
	}
}
