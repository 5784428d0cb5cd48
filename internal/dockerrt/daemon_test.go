package dockerrt

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/client"
)

// daemon is a client of a real daemon. Without one the test is skipped, and fails where CI should have brought one.
func daemon(t testing.TB) *client.Client {
	t.Helper()
	docker, err := client.New(client.FromEnv)
	if err == nil {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err = docker.Ping(ctx, client.PingOptions{})
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no docker daemon answers, and in CI one must: run this under .ci/docker: %v", err)
		}
		t.Skipf("NOT CHECKED: no docker daemon answers, so containers were not tested. Set DOCKER_HOST, or as root on Debian: .ci/tools && .ci/docker go test ./internal/dockerrt (%v)", err)
	}
	t.Cleanup(func() { _ = docker.Close() })
	return docker
}

// images that were built; guarded by imagesMu.
var (
	imagesMu sync.Mutex
	images   = map[string]string{}
)

const (
	agentMain      = "./testdata/agent"
	agentImage     = "FROM scratch\nCOPY program /agent\nENTRYPOINT [\"/agent\"]\n"
	userImage      = "FROM scratch\nCOPY program /agent\nSTOPSIGNAL SIGUSR1\nENTRYPOINT [\"/agent\"]\n"
	undirected     = "FROM scratch\nCOPY program /agent\n"
	hostDockerfile = "../../deploy/agent-host/Dockerfile"
)

// built makes an image of a Go program of this module from a Dockerfile that copies it as the file named, once per run of the tests.
func built(t testing.TB, pkg, file, dockerfile string) string {
	t.Helper()
	docker := daemon(t)
	imagesMu.Lock()
	defer imagesMu.Unlock()
	if name := images[dockerfile]; name != "" {
		return name
	}
	info, err := docker.Info(t.Context(), client.InfoOptions{})
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "program")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+goarch(info.Info.Architecture))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	name := fmt.Sprintf("myriad-test:%d-%d", os.Getpid(), len(images))
	if err := buildImage(t.Context(), docker, name, program, file, dockerfile); err != nil {
		t.Fatalf("build the image: %v", err)
	}
	images[dockerfile] = name
	return name
}

func goarch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return machine
}

func buildImage(ctx context.Context, docker *client.Client, name, program, file, dockerfile string) error {
	raw, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range []struct {
		name string
		data []byte
	}{{file, raw}, {"Dockerfile", []byte(dockerfile)}} {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o755, Size: int64(len(f.data))}))
		_, failed := w.Write(f.data)
		err = errors.Join(err, failed)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	res, err := docker.ImageBuild(ctx, &archive, client.ImageBuildOptions{Tags: []string{name}, Version: build.BuilderV1, Remove: true, ForceRemove: true})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	said, err := io.ReadAll(res.Body)
	if err == nil && bytes.Contains(said, []byte(`"errorDetail"`)) {
		err = errors.New(string(said))
	}
	return err
}

// removeImages takes away what built made.
func removeImages() {
	imagesMu.Lock()
	defer imagesMu.Unlock()
	if len(images) == 0 {
		return
	}
	docker, err := client.New(client.FromEnv)
	if err != nil {
		return
	}
	defer docker.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, name := range images {
		if _, err := docker.ImageRemove(ctx, name, client.ImageRemoveOptions{Force: true, PruneChildren: true}); err != nil {
			fmt.Fprintln(os.Stderr, "an image is left:", err)
		}
	}
}

// leftOf names the containers of an owner, in an order that only changes with them.
func leftOf(t testing.TB, docker *client.Client, owner string) (names []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	defer docker.Close() // only the idle connection: it is not one of the runtime's, when those are counted
	res, err := docker.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("label", labelOwner+"="+owner)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range res.Items {
		names = append(names, c.ID+" "+strings.Join(c.Names, ",")+" "+string(c.State))
	}
	return names
}
