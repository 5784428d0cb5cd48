package sqlitestore

import (
	"log/slog"
	"time"

	"github.com/myriad-mind/myriad"
)

// Options tune a Store; the zero value of each field is its default.
type Options struct {
	Sink   myriad.Sink  // told of losses (KindLost); nothing else is
	Logger *slog.Logger // slog.Default

	FlushEvery      time.Duration // how long something waits to be written; 900 ms, so that it is stored within a second
	MaxRuns         int           // finished runs kept; 1,000
	MaxRunBytes     int64         // and their records' size together; 256 MiB
	MaxPendingBytes int64         // run records, and apart from them good answers, that wait to be written; 64 MiB

	GoodMemoryBytes int64         // last good answers held in memory; 32 MiB
	MaxGoodBytes    int64         // last good answers on disk; 256 MiB
	MaxGoodAge      time.Duration // older ones are never handed out; 24 h
}

func (o Options) withDefaults() Options {
	if o.Sink == nil {
		o.Sink = myriad.Discard
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.FlushEvery = or(o.FlushEvery, 900*time.Millisecond)
	o.MaxRuns = or(o.MaxRuns, 1000)
	o.MaxRunBytes = or(o.MaxRunBytes, 256<<20)
	o.MaxPendingBytes = or(o.MaxPendingBytes, 64<<20)
	o.GoodMemoryBytes = or(o.GoodMemoryBytes, 32<<20)
	o.MaxGoodBytes = or(o.MaxGoodBytes, 256<<20)
	o.MaxGoodAge = or(o.MaxGoodAge, 24*time.Hour)
	return o
}

// or gives v, or the default when v is not positive.
func or[T int | int64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
