package resilience_test

import (
	"errors"
	"fmt"

	"github.com/myriad-mind/myriad/internal/resilience"
)

func ExampleBreaker() {
	breaker := resilience.NewBreaker("lightbulb", resilience.BreakerConfig{}, func(c resilience.Change) {
		fmt.Printf("%s: %s to %s, %s\n", c.Name, c.From, c.To, c.Reason)
	})
	call := func(answer error) error {
		permit, err := breaker.Acquire()
		if err != nil {
			return err
		}
		defer permit.Done(resilience.Ignored) // for a panic and for ways out that are nobody's fault
		if answer != nil {
			permit.Done(resilience.Failure)
			return answer
		}
		permit.Done(resilience.Success)
		return nil
	}
	for range 4 {
		err := call(errors.New("refused"))
		_, open := errors.AsType[*resilience.OpenError](err)
		fmt.Println("rejected:", open)
	}
	// Output:
	// rejected: false
	// rejected: false
	// lightbulb: closed to open, 3 consecutive failures
	// rejected: false
	// rejected: true
}

func ExampleRetryBudget() {
	budget := resilience.NewRetryBudget(resilience.BudgetConfig{})
	budget.Call()
	for retry := range 4 {
		fmt.Println(retry, budget.Take())
	}
	// Output:
	// 0 true
	// 1 true
	// 2 true
	// 3 false
}
