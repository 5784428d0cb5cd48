package orchestrator

import "github.com/myriad-mind/myriad"

// Jobs that are larger are put together again when they are needed: of those that wait there may be as many as a run has tasks, and each
// may hold a copy of an answer.
const (
	keptArgs         = 4 << 10 // bytes
	keptDependencies = 16
)

// shed lets go of a job that is too large to be kept while its task waits. What plan and results hold anyway costs nothing to keep.
func (r *run) shed(i int32) {
	job := &r.tasks[i].job
	if len(job.Dependencies) > keptDependencies || r.plan.template(int(i)) != nil && len(job.Args) > keptArgs {
		*job = myriad.Job{}
	}
}

// jobOf is the job that makeJob made, once more if it was let go: what it is made of has not changed.
func (r *run) jobOf(i int32) myriad.Job {
	job := &r.tasks[i].job
	if job.Args != nil {
		return *job
	}
	r.makeJob(i)
	made := *job
	r.shed(i)
	return made
}
