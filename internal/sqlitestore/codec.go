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
)

// span is a piece of the raw bytes: offset and length. nil is none.
type span = *[2]int

// spans collects raw bytes.
type spans struct{ raw []byte }

func (s *spans) add(b []byte) span {
	if len(b) == 0 {
		return nil
	}
	at := len(s.raw)
	s.raw = append(s.raw, b...)
	return &[2]int{at, len(b)}
}

// within finds part inside a piece added before, because an answer's data is most of it; else it adds it.
func (s *spans) within(whole span, part []byte) span {
	if whole != nil && len(part) > 0 {
		if i := bytes.Index(s.raw[whole[0]:whole[0]+whole[1]], part); i >= 0 {
			return &[2]int{whole[0] + i, len(part)}
		}
	}
	return s.add(part)
}

// get gives a piece; its bytes are shared, not to be changed.
func (s *spans) get(at span) ([]byte, error) {
	if at == nil {
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

// seal puts head and raw bytes together.
func seal(head any, s *spans) ([]byte, error) {
	text, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	body := binary.AppendUvarint(make([]byte, 0, len(text)+len(s.raw)+binary.MaxVarintLen64), uint64(len(text)))
	body = append(append(body, text...), s.raw...)
	if len(body) > maxUnpacked {
		return nil, myriad.Errorf(myriad.CodeTooLarge, "a record of %d bytes cannot be stored", len(body))
	}
	if len(body) < packFrom {
		return append(binary.AppendUvarint([]byte{formatOne, packedNone}, uint64(len(body))), body...), nil
	}
	out := bytes.NewBuffer(binary.AppendUvarint([]byte{formatOne, packedFlate}, uint64(len(body))))
	w := compressors.Get().(*flate.Writer)
	defer compressors.Put(w)
	w.Reset(out)
	if _, err := w.Write(body); err != nil {
		return nil, err
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
