package cache

import (
	"fmt"
	"hash/fnv"
	"io"
	"reflect"
	"sync"
)

var schemas sync.Map // of reflect.Type: a memo, the same for all

// schemaOf is a number for the shape of T: the names, tags and types of its fields, as far down as they are
// visible. What another version of a program kept under the same key in another shape would often decode
// without an error, and be wrong.
func schemaOf[T any](codec Codec) uint64 {
	type shape struct{ value, codec reflect.Type }
	key := shape{reflect.TypeFor[T](), reflect.TypeOf(codec)}
	if n, ok := schemas.Load(key); ok {
		return n.(uint64)
	}
	h := fnv.New64a()
	fmt.Fprint(h, key.codec)
	describe(h, key.value, make(map[reflect.Type]int))
	n, _ := schemas.LoadOrStore(key, h.Sum64())
	return n.(uint64)
}

// describe writes what t is made of. known are the named types that it is through with or within, by number.
func describe(w io.Writer, t reflect.Type, known map[reflect.Type]int) {
	fmt.Fprint(w, t.Kind())
	if t.Name() != "" && t.PkgPath() != "" {
		if n, ok := known[t]; ok {
			fmt.Fprint(w, "^", n)
			return
		}
		known[t] = len(known)
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		describe(w, t.Elem(), known)
	case reflect.Array:
		fmt.Fprint(w, t.Len())
		describe(w, t.Elem(), known)
	case reflect.Map:
		describe(w, t.Key(), known)
		describe(w, t.Elem(), known)
	case reflect.Struct:
		fmt.Fprint(w, "{")
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() && !f.Anonymous {
				continue // encoding sees none of it, unless the type does so itself, under its name
			}
			fmt.Fprintf(w, "%q %q ", f.Name, f.Tag)
			describe(w, f.Type, known)
		}
		fmt.Fprint(w, "}")
		if t.NumField() > 0 && opaque(t) {
			fmt.Fprint(w, t.PkgPath(), t.Name())
		}
	}
}

// opaque tells whether encoding sees nothing of a struct's fields: time.Time is one.
func opaque(t reflect.Type) bool {
	for i := range t.NumField() {
		if t.Field(i).IsExported() {
			return false
		}
	}
	return true
}
