package sqlitestore

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"io"
	"sync"

	"github.com/myriad-mind/myriad"
)

// Records are kept as a JSON head, which can grow, followed by the raw JSON that clients and agents wrote, byte for byte: inside the head it
// would be compacted and escaped anew. The layout is: format byte, packing byte, length of the unpacked rest as uvarint, the rest, which is
// length of the head as uvarint, head, raw bytes.
const (
	formatOne   = 1
	packedNone  = 0
	packedFlate = 1

	// packFrom is the length from which packing pays: below it, setting up the compressor costs more than the row saves.
	packFrom = 4 << 10
	// maxUnpacked bounds what a damaged length can make us allocate: SQLite itself holds no larger values.
	maxUnpacked = 1 << 30
	// keepDraft is the largest draft worth keeping for the next record.
	keepDraft = 16 << 20
)

// span is a piece of the raw bytes: offset and length. Length 0 is none.
type span [2]int

// spans collects raw bytes.
type spans struct{ raw []byte }

func (s *spans) add(b []byte) span {
	if len(b) == 0 {
		return span{}
	}
	at := len(s.raw)
	s.raw = append(s.raw, b...)
	return span{at, len(b)}
}

// within finds part inside a piece added before, because an answer's data is most of it; else it adds it.
func (s *spans) within(whole span, part []byte) span {
	if len(part) > 0 {
		if i := bytes.Index(s.raw[whole[0]:whole[0]+whole[1]], part); i >= 0 {
			return span{whole[0] + i, len(part)}
		}
	}
	return s.add(part)
}

// get gives a piece; its bytes are shared, not to be changed.
func (s *spans) get(at span) ([]byte, error) {
	if at == (span{}) {
		return nil, nil
	}
	from, n := at[0], at[1]
	if from < 0 || n < 0 || from > len(s.raw) || n > len(s.raw)-from {
		return nil, damaged("a piece lies outside")
	}
	return s.raw[from : from+n : from+n], nil
}

func damaged(how string) error {
	return myriad.Errorf(myriad.CodeInternal, "a stored record is damaged: %s", how)
}

// compressors are kept because making one allocates much.
var compressors = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil { // the level is valid
		panic(err)
	}
	return w
}}

// draft is a record while it is encoded: its head, and its raw bytes. Drafts are used again, for a long run's has megabytes.
type draft struct {
	spans
	head   bytes.Buffer
	encode *json.Encoder // to head
}

var drafts = sync.Pool{New: func() any {
	d := &draft{}
	d.encode = json.NewEncoder(&d.head)
	return d
}}

func newDraft() *draft { return drafts.Get().(*draft) }

// free gives the draft back; one that has become very large is left to the garbage collector.
func (d *draft) free() {
	if d.head.Cap()+cap(d.raw) > keepDraft {
		return
	}
	d.head.Reset()
	d.raw = d.raw[:0]
	drafts.Put(d)
}

// seal puts head and raw bytes together.
func (d *draft) seal() ([]byte, error) {
	length := binary.AppendUvarint(nil, uint64(d.head.Len()))
	size := len(length) + d.head.Len() + len(d.raw)
	if size > maxUnpacked {
		return nil, myriad.Errorf(myriad.CodeTooLarge, "a record of %d bytes cannot be stored", size)
	}
	if size < packFrom {
		b := make([]byte, 0, 2+binary.MaxVarintLen64+size)
		b = binary.AppendUvarint(append(b, formatOne, packedNone), uint64(size))
		return append(append(append(b, length...), d.head.Bytes()...), d.raw...), nil
	}
	out := bytes.NewBuffer(binary.AppendUvarint([]byte{formatOne, packedFlate}, uint64(size)))
	w := compressors.Get().(*flate.Writer)
	defer compressors.Put(w)
	w.Reset(out)
	for _, part := range [][]byte{length, d.head.Bytes(), d.raw} {
		if _, err := w.Write(part); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// open takes apart what seal made.
func open(sealed []byte, head any) (*spans, error) {
	if len(sealed) < 3 || sealed[0] != formatOne {
		return nil, damaged("its format is unknown")
	}
	size, n := binary.Uvarint(sealed[2:])
	if n <= 0 || size > maxUnpacked {
		return nil, damaged("its length is wrong")
	}
	body, err := unpack(sealed[1], sealed[2+n:], int(size))
	if err != nil {
		return nil, err
	}
	length, n := binary.Uvarint(body)
	if n <= 0 || length > uint64(len(body)-n) {
		return nil, damaged("its head is cut off")
	}
	if err := json.Unmarshal(body[n:n+int(length)], head); err != nil {
		return nil, damaged(err.Error())
	}
	return &spans{raw: body[n+int(length):]}, nil
}

func unpack(how byte, packed []byte, size int) ([]byte, error) {
	switch how {
	case packedNone:
		if len(packed) != size {
			return nil, damaged("its length is wrong")
		}
		return packed, nil
	case packedFlate:
		var body bytes.Buffer // grows with what is really there
		n, err := io.Copy(&body, io.LimitReader(flate.NewReader(bytes.NewReader(packed)), int64(size)+1))
		if err != nil || n != int64(size) {
			return nil, damaged("it cannot be unpacked")
		}
		return body.Bytes(), nil
	}
	return nil, damaged("its packing is unknown")
}
