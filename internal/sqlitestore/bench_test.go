package sqlitestore

import (
	"fmt"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// BenchmarkRecordRun is what keeping a run costs its caller.
func BenchmarkRecordRun(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{})
	recs := make([]*myriad.RunRecord, 4096)
	for i := range recs {
		recs[i] = testRun(fmt.Sprintf("01999999-9999-7999-8999-%012d", i), myriad.RunSuccess)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s.RecordRun(recs[i%len(recs)])
		i++
	}
}

// BenchmarkFlush is what a second's worth of runs costs the writer, however many there were: at most 1,000 are kept.
func BenchmarkFlush(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{})
	n := 0
	for b.Loop() {
		b.StopTimer()
		for range 1000 {
			s.RecordRun(testRun(fmt.Sprintf("01999999-9999-7999-8999-%012d", n), myriad.RunSuccess))
			n++
		}
		b.StartTimer()
		if err := s.flush(b.Context(), flushTimeout); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkKeepGood is what keeping an answer costs its caller.
func BenchmarkKeepGood(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{})
	a := testGood("d", time.Now())
	keys := make([]string, 1024)
	for i := range keys {
		keys[i] = fmt.Sprint("key", i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s.KeepGood(keys[i%len(keys)], a)
		i++
	}
}

// BenchmarkHandlers is a look-up in a small graph.
func BenchmarkHandlers(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{})
	g := s.Graph()
	for i := range 3 {
		if _, err := g.PutAgent(b.Context(), myriad.Agent{Name: fmt.Sprint("a", i), Endpoint: "http://h/", Concepts: []string{"x"}}, myriad.Guard{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Handlers(b.Context(), "x"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPutAgent is a write of an agent that stays as it is, as waking does it.
func BenchmarkPutAgent(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{})
	g := s.Graph()
	for b.Loop() {
		if _, err := g.PutAgent(b.Context(), myriad.Agent{Name: "a", Endpoint: "http://h/", Concepts: []string{"x"}}, myriad.Guard{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkImportPackets imports a thousand packets at a time, their agents, concepts and edges included.
func BenchmarkImportPackets(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{})
	n := 0
	for b.Loop() {
		b.StopTimer()
		packets := make([]myriad.Packet, 1000)
		for i := range packets {
			packets[i] = testPacket(fmt.Sprintf("Agent_%07d", n))
			n++
		}
		b.StartTimer()
		if err := s.ImportPackets(b.Context(), packets, ImportOptions{Graph: true}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "packets/s")
}

// BenchmarkPutPacket is one packet written beside many.
func BenchmarkPutPacket(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{})
	n := 0
	for b.Loop() {
		if _, err := s.PutPacket(b.Context(), testPacket(fmt.Sprintf("Agent_%07d", n)), myriad.Guard{}); err != nil {
			b.Fatal(err)
		}
		n++
	}
}
