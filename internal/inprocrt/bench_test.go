package inprocrt

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// stored is a packet as it comes out of a store.
func stored(t testing.TB, raw []byte) (p myriad.Packet) {
	t.Helper()
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func packed(t testing.TB) []byte {
	t.Helper()
	raw, err := json.Marshal(tides("factbase_enhanced"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestAnAwakeAgentIsSmall holds the heap of one, its packet included, against the 4 KiB that it may cost.
func TestAnAwakeAgentIsSmall(t *testing.T) {
	const agents, bound = 2000, 4096
	r := opened(t, Config{Learned: func(string, string, myriad.Knowledge) error { return nil }})
	raw := packed(t)
	started(t, r, "first", stored(t, raw)) // with the listener
	used := func() uint64 {
		runtime.GC()
		runtime.GC() // what the first one only finished with is gone
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	all := make([]myriad.Instance, agents)
	for n := range all {
		all[n] = started(t, r, fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", n), stored(t, raw))
	}
	each := (int64(used()) - int64(before)) / agents
	runtime.KeepAlive(all)
	t.Logf("an awake agent costs %d bytes of heap", each)
	if each > bound {
		t.Errorf("an awake agent costs %d bytes of heap, and may cost %d", each, bound)
	}
}

// BenchmarkWake is the way from a stored packet to its first answer: decode, start, ready, one job over a kept connection. Beside it stand
// the start without the job, and (Awake) the same job to an agent that is awake, which is the floor. It reports 99th percentiles; the whole
// must be within 2 ms, with 10 callers within 6 ms.
func BenchmarkWake(b *testing.B) {
	raw := packed(b)
	for _, callers := range []int{1, 10} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			r := opened(b, Config{})
			var id atomic.Int64
			race(b, callers, func(client *http.Client, lap func(name string)) error {
				var p myriad.Packet
				if err := json.Unmarshal(raw, &p); err != nil {
					return err
				}
				i, err := r.Start(b.Context(), myriad.StartRequest{InstanceID: fmt.Sprint("i", id.Add(1)), Packet: p})
				if err != nil {
					return err
				}
				if err := i.Ready(b.Context()); err != nil {
					return err
				}
				lap("start")
				if err := job(client, i.Endpoint()); err != nil {
					return err
				}
				lap("wake")
				return i.Stop(b.Context())
			})
		})
	}
}

func BenchmarkAwake(b *testing.B) {
	for _, callers := range []int{1, 10} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			i := started(b, opened(b, Config{}), "one", tides("factbase_enhanced"))
			race(b, callers, func(client *http.Client, lap func(name string)) error {
				defer lap("job")
				return job(client, i.Endpoint())
			})
		})
	}
}

// race runs one b.N times, shared among callers, and reports the 99th percentile of the time until each lap.
func race(b *testing.B, callers int, one func(client *http.Client, lap func(name string)) error) {
	transport := &http.Transport{MaxIdleConnsPerHost: callers}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var mu sync.Mutex
	laps := map[string][]time.Duration{}
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for range (b.N + callers - 1 - caller) / callers {
				began := time.Now()
				if err := one(client, func(name string) {
					took := time.Since(began)
					mu.Lock()
					defer mu.Unlock()
					laps[name] = append(laps[name], took)
				}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for name, all := range laps {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, name+"-p99-ms")
	}
}

func job(client *http.Client, endpoint string) error {
	resp, err := client.Post(endpoint, "application/json", strings.NewReader(`{"task_id":1,"concept":"tidal power","intent":"define","args":{}}`))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP %d: %s", resp.StatusCode, body)
	}
	return resp.Body.Close()
}

// BenchmarkQuery is one job of a knowledge agent, without a network.
func BenchmarkQuery(b *testing.B) {
	k := knows(b, tides("factbase_basic"), KnowledgeOptions{})
	body := []byte(`{"task_id":1,"concept":"tidal power","intent":"define","args":{}}`)
	b.ReportAllocs()
	for b.Loop() {
		if status, _ := k.query(body); status != http.StatusOK {
			b.Fatal(status)
		}
	}
}
