package faultproxy

import (
	"bytes"
	"time"
)

// pass carries bytes of an answer to the client as the request's fault says; false ends the carrying.
func (l *link) pass(b []byte) bool {
	f, left, first := l.progress(len(b))
	if first && !l.sleep(f.Latency) {
		return false
	}
	switch f.Mode {
	case ResetAnswer, Truncate, Stall:
		if int64(len(b)) <= left {
			break
		}
		if _, err := l.client.Write(b[:left]); err != nil {
			l.end()
			return false
		}
		l.cut(f.Mode)
		return false
	case Drip:
		return l.drip(b, f.Interval)
	}
	if _, err := l.client.Write(b); err != nil {
		l.end()
		return false
	}
	if f.Mode == CloseIdle {
		l.expire(f.Interval)
	}
	return true
}

// progress notes n bytes of the present answer. left is how many bytes of it may still pass before a cut; first is true once per answer.
func (l *link) progress(n int) (f Fault, left int64, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first = l.phase == asking
	if first {
		l.phase = answering
	}
	left = max(l.fault.After-l.sent, 0)
	l.sent += int64(n)
	return l.fault, left, first
}

// cut ends an answer in its midst.
func (l *link) cut(m Mode) {
	switch m {
	case ResetAnswer:
		l.reset()
	case Truncate:
		l.finish() // serve reads on, or the kernel would turn the end into a reset
		_ = l.client.CloseWrite()
		l.hangUp()
	case Stall:
		<-l.ctx.Done() // serve sees the client leave
	}
}

func (l *link) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.agent.Close()
}

// expire ends the link when the agent says nothing for d, unless a request begins before.
func (l *link) expire(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.phase == answering {
		_ = l.agent.SetReadDeadline(time.Now().Add(d))
	}
}

func (l *link) drip(b []byte, interval time.Duration) bool {
	for i := range b {
		if !l.sleep(interval) {
			return false
		}
		if _, err := l.client.Write(b[i : i+1]); err != nil {
			l.end()
			return false
		}
	}
	return true
}

// answerItself answers in the agent's place, ends the answer cleanly and swallows the rest; false ends the link.
func (l *link) answerItself(f Fault) bool {
	l.finish()
	var err error
	switch f.Mode {
	case Canned:
		_, err = l.client.Write(f.Answer)
	case Garbage:
		_, err = l.client.Write(l.noise(f.After))
	case Flood:
		err = l.flood(f.After)
	}
	return err == nil && l.client.CloseWrite() == nil
}

// noise never looks like HTTP.
func (l *link) noise(n int64) []byte {
	if n == 0 {
		n = defaultGarbage
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(l.rng.Uint32())
	}
	b[0] = 0x16
	return b
}

// flood writes a success whose data has n bytes, or no end when n is 0.
func (l *link) flood(n int64) error {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + `{"agent_name":"flood","status":"success","data":"`
	if _, err := l.client.Write([]byte(head)); err != nil {
		return err
	}
	chunk := bytes.Repeat([]byte("x"), 16<<10)
	for sent := int64(0); n == 0 || sent < n; {
		b := chunk
		if n > 0 {
			b = chunk[:min(int64(len(chunk)), n-sent)]
		}
		if _, err := l.client.Write(b); err != nil {
			return err
		}
		sent += int64(len(b))
	}
	_, err := l.client.Write([]byte(`"}`))
	return err
}
