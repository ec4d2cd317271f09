package cache

import "encoding/json"

// Codec turns values into bytes and back. Implementations are safe for concurrent use.
type Codec interface {
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// JSON is the Codec of encoding/json.
type JSON struct{}

// Marshal implements Codec.
func (JSON) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

// Unmarshal implements Codec.
func (JSON) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// codecOf is the codec for values of type T: bytes and strings are not made JSON of. To escape them would cost more than to
// fetch them, and a string that is not UTF-8 would come back as another.
func codecOf[T any](codec Codec) Codec {
	if _, ok := codec.(JSON); ok {
		switch any((*T)(nil)).(type) {
		case *[]byte, *string:
			return asItIs{}
		}
	}
	return codec
}

// asItIs is the Codec of []byte and string. A nil []byte comes back empty.
type asItIs struct{}

func (asItIs) Marshal(v any) ([]byte, error) {
	if s, ok := v.(string); ok {
		return []byte(s), nil
	}
	b := v.([]byte)
	if b == nil {
		b = []byte{}
	}
	return b, nil
}

// Unmarshal shares data's memory with a []byte: nobody writes to it.
func (asItIs) Unmarshal(data []byte, v any) error {
	switch v := v.(type) {
	case *[]byte:
		*v = data
	case *string:
		*v = string(data)
	}
	return nil
}
