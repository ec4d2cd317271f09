// Command grafana writes the dashboards that Grafana is provisioned with: go generate, in this folder.
//
// They are made from code because they repeat: the same words have the same colours everywhere, each panel
// has a unit and a description, and the selectors stand in one place. What comes out is Grafana's classic
// dashboard JSON, which every Grafana from 11 on reads.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

//go:generate go run .

func main() {
	for name, text := range files() {
		if err := os.WriteFile(filepath.Join("dashboards", name), text, 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// all are the dashboards in the order in which each links to the others.
func all() []*dashboard {
	boards := []*dashboard{service(), cache(), slo(), runtime(), stack()}
	for _, d := range boards {
		d.linkTo(boards)
	}
	return boards
}

// files are the dashboards by the names of their files.
func files() map[string][]byte {
	texts := map[string][]byte{}
	for _, d := range all() {
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		if err := e.Encode(d); err != nil {
			panic(err) // of types that JSON knows
		}
		texts[d.UID[len("vitrine-"):]+".json"] = text.Bytes()
	}
	return texts
}
