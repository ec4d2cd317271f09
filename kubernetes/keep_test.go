package main

import (
	_ "github.com/prometheus-operator/prometheus-operator/pkg/versionutil"
	_ "k8s.io/client-go/dynamic"
)
