// Command kubernetes writes monitoring/prometheusrule.yaml from the rule files of ../prometheus: go generate, in this
// folder.
//
// It is a module of its own, because its tests read manifests with the libraries of Kubernetes, which no user of the
// service should download.
package main

import (
	"fmt"
	"os"
)

//go:generate go run .

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	text, err := prometheusRule(ruleFiles, namespaceFile)
	if err != nil {
		return err
	}
	return os.WriteFile(ruleObject, text, 0o644)
}
