// Buildkit is BuildKit's daemon, called as buildkitd, and a client that has it build a Dockerfile, called as buildctl.
//
// Upstream's own commands bring caches on Azure, S3 and GitHub, signature policies, lazy snapshotters, containerd as a worker and
// exporters of traces: two fifths of what there is to compile, and nothing here asks for them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/moby/buildkit/solver/errdefs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	run := solve
	if filepath.Base(os.Args[0]) == "buildkitd" {
		run = daemon
	}
	if err := run(ctx, os.Args[1:]); err != nil {
		for _, source := range errdefs.Sources(err) { // the lines of the Dockerfile
			_ = source.Print(os.Stderr)
		}
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}
