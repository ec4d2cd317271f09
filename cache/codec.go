package cache

import "encoding/json"

// Codec turns values into bytes and back. Implementations are safe for concurrent use.
type Codec interface {
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// JSON is the Codec of encoding/json. A []byte or string is kept as it is: to escape it would cost more than to fetch it, and
// a string that is not UTF-8 would come back as another. A nil []byte comes back empty.
type JSON struct{}

// Marshal implements Codec.
func (JSON) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		if v == nil {
			v = []byte{}
		}
		return v, nil
	case string:
		return []byte(v), nil
	}
	return json.Marshal(v)
}

// Unmarshal implements Codec. A []byte shares data's memory.
func (JSON) Unmarshal(data []byte, v any) error {
	switch v := v.(type) {
	case *[]byte:
		*v = data
		return nil
	case *string:
		*v = string(data)
		return nil
	}
	return json.Unmarshal(data, v)
}
