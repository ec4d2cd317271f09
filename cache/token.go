package cache

import (
	"crypto/rand"
	"encoding/base64"
)

// newToken is a random text of tokenLength characters, which nobody else has.
func newToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
