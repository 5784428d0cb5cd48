package sqlitestore

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// filler sets every field that it can reach, so that a field added to a record later cannot be forgotten by the codec.
type filler struct{ random *rand.Rand }

func (f filler) fill(v reflect.Value) {
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(f.random.Int64N(2e9), f.random.Int64N(1e9)).UTC()))
		return
	case reflect.TypeFor[json.RawMessage]():
		v.Set(reflect.ValueOf(f.raw()))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+f.random.IntN(3), 4))
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("%d <&>\u2028 é", f.random.Uint32()))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1 + f.random.Int64N(1<<40))
	case reflect.Float64:
		v.SetFloat(f.random.Float64() + 1e-9)
	default:
		panic("the codec's test does not know " + v.Type().String())
	}
}

// raw is JSON that would not survive being written anew: spaces, digits and escapes.
func (f filler) raw() json.RawMessage {
	return json.RawMessage(fmt.Sprintf(" { \"a<b\" : 1.%d00, \"e\":\"\\u0041\", \"long\":%q}\n", f.random.Uint32(), strings.Repeat("x", f.random.IntN(5000))))
}

func TestRunCodecKeepsEverything(t *testing.T) {
	for seed := range uint64(50) {
		var rec myriad.RunRecord
		filler{rand.New(rand.NewPCG(seed, 3))}.fill(reflect.ValueOf(&rec).Elem())
		sealed, err := encodeRun(&rec)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeRun(sealed)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, &rec) {
			t.Fatalf("seed %d:\n got %+v\nwant %+v", seed, got, &rec)
		}
	}
}

func TestRunCodecKeepsNothingAsNothing(t *testing.T) {
	for _, rec := range []*myriad.RunRecord{{}, {Results: []myriad.Result{{}}}, {Log: []myriad.RunStep{{Kind: "k", Task: -1}}}} {
		sealed, err := encodeRun(rec)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeRun(sealed); err != nil || !reflect.DeepEqual(got, rec) {
			t.Errorf("got %+v, %v, want %+v", got, err, rec)
		}
	}
}

func TestGoodCodecKeepsEverything(t *testing.T) {
	for seed := range uint64(50) {
		var a myriad.GoodAnswer
		filler{rand.New(rand.NewPCG(seed, 4))}.fill(reflect.ValueOf(&a).Elem())
		sealed, err := encodeGood(a)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeGood(sealed); err != nil || !reflect.DeepEqual(got, a) {
			t.Fatalf("seed %d: got %+v, %v, want %+v", seed, got, err, a)
		}
	}
}

// TestDataIsStoredOnce: an answer's data is a piece of the answer.
func TestDataIsStoredOnce(t *testing.T) {
	data := `"` + noise(3000) + `"`
	with := testGood("", time.Now())
	with.Answer.Raw = json.RawMessage(`{"data":` + data + `}`)
	without, err := encodeGood(with)
	if err != nil {
		t.Fatal(err)
	}
	with.Answer.Data = json.RawMessage(data)
	sealed, err := encodeGood(with)
	if err != nil || len(sealed) > len(without)+50 {
		t.Errorf("%d bytes with its data, %d without, %v", len(sealed), len(without), err)
	}
}

func TestLargeRecordsArePacked(t *testing.T) {
	rec := testRun("r", myriad.RunSuccess)
	for range 1000 {
		rec.Results = append(rec.Results, rec.Results[0])
	}
	sealed, err := encodeRun(rec)
	if err != nil || len(sealed) > 40_000 {
		t.Errorf("%d bytes for 1,000 equal results, %v", len(sealed), err)
	}
}

func FuzzDecodeRun(f *testing.F) {
	for _, rec := range []*myriad.RunRecord{{}, testRun("r", myriad.RunSuccess)} {
		sealed, err := encodeRun(rec)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(sealed)
	}
	f.Add([]byte{formatOne, packedFlate, 0xff, 0xff, 0xff, 0xff, 0x0f, 1})
	f.Add([]byte{formatOne, packedNone, 3, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		rec, err := decodeRun(sealed)
		if err == nil && rec == nil || err != nil && rec != nil {
			t.Errorf("%v, %v", rec, err)
		}
		if _, err := decodeGood(sealed); err != nil && myriad.ErrorCode(err) != myriad.CodeInternal {
			t.Errorf("damage is ours: %v", err)
		}
	})
}
