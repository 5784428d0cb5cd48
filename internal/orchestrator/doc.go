// Package orchestrator turns a request into a plan and carries the plan out.
//
// Start reading at newPlan (plan.go), which checks a request whole. A run (run.go) counts down, for each task, the dependencies that have
// not finished; the one that finishes last makes the task ready (settle.go). A ready task is looked up, queued and called (task.go), and
// what the call came to is judged (judge.go), where nobody could answer with the help of what is kept (fallback.go). There are no levels,
// there is no polling, and no goroutine waits for a task: only a granted attempt has one, and whoever finishes a task goes on with the
// next one that it may begin at once.
//
// What falls back (design, "Falling back"): a task for which everybody who should have answered could not: the agent's fault, told to
// wait for longer than the task has, open circuits, a graph that does not answer, agents that could not be woken or grown in time, our own
// network policy or missing credentials. Where nobody is there to answer at all (no_agent_available) there is nothing good to remember,
// and only the task's own default counts. The caller's own faults, cancellation, the run's deadline and defects of ours never fall back.
package orchestrator
