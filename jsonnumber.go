package myriad

import (
	"bytes"
	"encoding/json"
)

// decodeNumbers unmarshals with numbers as json.Number, so that they keep every digit.
func decodeNumbers(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return dec.Decode(into)
}
