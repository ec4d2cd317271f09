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
//
// A Store that is also an Invalidator lets purges reach all processes; one that is a Leaser besides has one of
// them load a key, and new values reach all.
type Store interface {
	// Get returns the bytes under key, which the caller may keep but not change, or ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// Set keeps value, which it must not change, under key for at most ttl, which is above zero.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Delete forgets keys. Keys that are not there are no error, and no keys delete nothing.
	Delete(ctx context.Context, keys ...string) error
}

// Leaser is a Store that gives one process of all a lease on a key, as memcached does at Facebook (Nishtala
// et al., NSDI 2013): only who holds it fills the key, and whatever purges the key takes it away, so that
// no value outlives a purge that its load did not see. A lease that the store has lost is lost too.
type Leaser interface {
	Store
	// Acquire gives the caller the lease on key for ttl, under a token of its own, of 22 characters, and keeps note for
	// those who ask meanwhile; to ask twice under one token is to ask once. It gives none where another holds it, nor where key has a value: one that is not
	// empty and does not begin with seen, which is how the value begins that the caller knows and wants to replace.
	Acquire(ctx context.Context, key string, seen []byte, token string, note []byte, ttl time.Duration) (Acquired, error)
	// Renew has the lease last for ttl from now. It returns false if token does not hold it.
	Renew(ctx context.Context, key, token string, ttl time.Duration) (bool, error)
	// Fill gives the lease back, keeps value under key for ttl (zero: it leaves what is there; below zero: it forgets
	// that), and sends message to all listeners. All of it is done, or nothing where it returns false: token does
	// not hold the lease.
	Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration, message []byte) (bool, error)
}

// Acquired is what came of Leaser.Acquire.
type Acquired struct {
	Held  bool          // the caller holds the lease; what follows is empty
	Value []byte        // what key has, if that is why
	Note  []byte        // else the holder's
	Left  time.Duration // until the holder's lease runs out, unless it is renewed
}

// Invalidator is a Store that keeps account of purges and sends messages to all processes.
type Invalidator interface {
	Store
	// Invalidate forgets key's value and lease, and sends message to all listeners.
	Invalidate(ctx context.Context, key string, message []byte) error
	// Amend puts now in the place of the beginning of key's value, if that is old, which is as long. It takes away
	// the lease and sends message to all listeners in any case.
	Amend(ctx context.Context, key string, old, now, message []byte) error
	// Void numbers a purge, notes it in the scope's account, and sends to all listeners message with the era, a blank
	// and the number in decimal behind it. It returns both. It begins an account with era if there is none, or if it is
	// not known that what is there has all purges: surely not if it is of known's era and its number is lower.
	Void(ctx context.Context, scope string, known Mark, era string, p Purge, message []byte) (Mark, error)
	// Purges returns the scope's account, which it begins as Void does. Of one that is at known it may leave out all but
	// the Mark.
	Purges(ctx context.Context, scope string, known Mark, era string) (Account, error)
	// Listen has l told of messages until stop is called. It returns once l is connected, or ctx ends.
	Listen(ctx context.Context, l Listener) (stop func())
}

// Listener hears what an Invalidator sends, its own messages included, one call at a time.
type Listener struct {
	// Connected says that from now on messages arrive: those of before may be lost.
	Connected func()
	// Disconnected says that messages may be lost from now on.
	Disconnected func()
	// Message is one, which Message may keep.
	Message func(message []byte)
}

// Purge is one by tags, or of all.
type Purge struct {
	Soft bool     // what it names is stale, not gone
	Tags []string // empty: all
}

// Mark is a place in an account of purges. A store that loses an account begins another, with another era.
type Mark struct {
	Era string
	Seq uint64 // the number of the last purge
}

// Account is what has been purged of a scope: by tag and as a whole, the number of the last purge.
type Account struct {
	Mark
	All, SoftAll   uint64
	Tags, SoftTags map[string]uint64
	// Floor is the number up to which purges of tags may have been forgotten, so that accounts stay small.
	Floor uint64
}
