package dispatch

// claims is a heap of an endpoint's lanes by the stamp of their run, oldest first. Stamps only ever get newer, so a lane keeps the one
// it was sorted by until it comes to the top: renewing a run costs nothing here.
type claims []*lane

// oldest is the oldest stamp among the runs that wait. The heap must not be empty.
func (c claims) oldest() uint64 {
	for {
		top := c[0]
		if top.claim == top.run.stamp {
			return top.claim
		}
		top.claim = top.run.stamp
		c.down(0)
	}
}

func (c *claims) add(l *lane) {
	l.claim, l.heap = l.run.stamp, len(*c)
	*c = append(*c, l)
	c.up(l.heap)
}

func (c *claims) remove(l *lane) {
	old, i := *c, l.heap
	last := len(old) - 1
	if i != last {
		old[i] = old[last]
		old[i].heap = i
	}
	old[last] = nil
	*c = old[:last]
	if i != last {
		c.down(i)
		c.up(i)
	}
}

func (c claims) up(i int) {
	l := c[i]
	for i > 0 {
		parent := (i - 1) / 2
		if c[parent].claim <= l.claim {
			break
		}
		c[i] = c[parent]
		c[i].heap = i
		i = parent
	}
	c[i], l.heap = l, i
}

func (c claims) down(i int) {
	l := c[i]
	for {
		child := 2*i + 1
		if child >= len(c) {
			break
		}
		if right := child + 1; right < len(c) && c[right].claim < c[child].claim {
			child = right
		}
		if l.claim <= c[child].claim {
			break
		}
		c[i] = c[child]
		c[i].heap = i
		i = child
	}
	c[i], l.heap = l, i
}
