package dockerrt

import (
	"context"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

// The words of Template.Pull.
const (
	pullNever   = "never"
	pullMissing = "missing"
	pullAlways  = "always"
)

// image is what a container is made from, and when it may be fetched.
type image struct{ ref, pull string }

func (r *Runtime) imageOf(t *myriad.Template) image {
	if t.Kind == myriad.TemplateKnowledge {
		return image{r.cfg.HostImage, r.cfg.HostPull}
	}
	if t.Pull == "" {
		return image{t.Image, pullNever}
	}
	return image{t.Image, t.Pull}
}

// fetch pulls the image when its policy says so.
func (r *Runtime) fetch(ctx context.Context, img image) error {
	switch img.pull {
	case pullAlways:
		return r.pull(ctx, img)
	case pullMissing:
		missing, err := r.missing(ctx, img)
		if err != nil {
			return r.failure(ctx, err, "look for the image %s", img.ref)
		}
		if missing {
			return r.pull(ctx, img)
		}
	}
	return nil
}

func (r *Runtime) missing(ctx context.Context, img image) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	_, err := r.docker.ImageInspect(ctx, img.ref)
	if errdefs.IsNotFound(err) {
		return true, nil
	}
	return false, err
}

func (r *Runtime) pull(ctx context.Context, img image) error {
	bound, cancel := context.WithTimeout(ctx, r.cfg.PullTimeout)
	defer cancel()
	resp, err := r.docker.ImagePull(bound, img.ref, client.ImagePullOptions{})
	if err == nil {
		err = resp.Wait(bound) // reads to the end and closes
	}
	if err == nil {
		return nil
	}
	if ctx.Err() == nil && bound.Err() != nil {
		return myriad.Errorf(myriad.CodeUnavailable, "pull the image %s (policy %s): not done within %s: %w", img.ref, img.pull, r.cfg.PullTimeout, err)
	}
	return r.failure(ctx, err, "pull the image %s (policy %s)", img.ref, img.pull)
}

// notHere is the failure of a start whose image the daemon has not.
func notHere(img image, err error) error {
	hint := "pull it by hand, or set the template's pull policy to missing"
	if img.pull != pullNever {
		hint = "it was there a moment ago"
	}
	return myriad.Errorf(myriad.CodeInvalid, "the docker daemon has no image %s and the pull policy is %s (%s): %w", img.ref, img.pull, hint, err)
}
