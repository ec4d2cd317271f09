package cache

import (
	"context"
	"errors"
	"time"
)

// ErrNotFound is what Store.Get returns for a key that the store does not hold.
var ErrNotFound = errors.New("cache: not found")

// Store keeps bytes under keys, for all processes. It may forget any of them at any time. Implementations
// are safe for concurrent use and return when the context ends; package storetest holds them to this.
type Store interface {
	// Get returns the bytes under key, which the caller may keep but not change, or ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// Set keeps value, which it must not change, under key for at most ttl, which is above zero.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Delete forgets keys. Keys that are not there are no error, and no keys delete nothing.
	Delete(ctx context.Context, keys ...string) error
}
