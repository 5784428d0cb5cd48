// Package processrt runs agents as processes of the operating system: templates of the kind command.
//
// A command lives in one of three modes. In the mode http it listens itself, on the port that PORT names, and speaks the job protocol. In
// the mode stdio it is a worker that reads one job per line and writes one answer per line, kept warm; there are as many workers as jobs
// at once. In the mode exec every job is a process of its own. The last two sit behind one listener on loopback that all instances share.
//
// What a script answers, in stdio and exec, is any JSON value. An object with a text "status", or with "data" and no status, is the answer
// of an agent and passes as it is (agent_name and status are added where they are missing); any other value becomes the data of a success.
// In stdio only answers may go to the standard output. A line that comes while no job is under way, or while all of it is unread, is found out; one that
// a program writes between a job and its answer can only be told from it when it echoes another "task_id".
//
// Every process of an instance is inside a fence (fence_linux.go, fence_other.go) before it runs a line of the agent's code. The fence
// limits it, counts it and ends it, whatever it started and wherever that went. What the platform cannot put in force is named by
// Unenforced and in the log.
//
// A process that exits takes everything that it started with it: what a job or an agent leaves in the background does not outlive it. A
// program of the mode http stays in the foreground and listens at 127.0.0.1 alone; it is ready when its listening socket is seen to be its
// own, or /health gives its nonce, and it answers.
//
// Start reading at Runtime.Start, then instance.go for an instance's life, child.go for one process, and one of worker.go, exec.go and
// http.go for what becomes of a job.
package processrt
