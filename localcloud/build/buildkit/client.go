package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/docker/cli/cli/config"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/cmd/buildctl/build"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/util/progress/progressui"
	"golang.org/x/sync/errgroup"
)

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string         { return strings.Join(*l, " ") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

// solve builds a Dockerfile; the flags have the names and meanings that `buildctl build` gives them.
func solve(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("buildctl", flag.ExitOnError)
	var locals, options, secrets, outputs list
	address := flags.String("addr", "", "where the daemon listens")
	flags.Var(&locals, "local", "NAME=FOLDER that the build may read")
	flags.Var(&options, "opt", "KEY=VALUE for the frontend")
	flags.Var(&secrets, "secret", "id=NAME,src=FILE that the build may mount")
	flags.Var(&outputs, "output", "type=image,name=NAME,push=true")
	metadata := flags.String("metadata-file", "", "where the digest is written")
	_ = flags.Parse(arguments)

	solving := client.SolveOpt{Frontend: "dockerfile.v0"}
	var err error
	if solving.LocalMounts, err = build.ParseLocal(locals); err != nil {
		return err
	}
	if solving.FrontendAttrs, err = build.ParseOpt(options); err != nil {
		return err
	}
	if solving.Exports, err = build.ParseOutput(outputs); err != nil {
		return err
	}
	files, err := build.ParseSecret(secrets)
	if err != nil {
		return err
	}
	logins := authprovider.LoadAuthConfig(config.LoadDefaultConfigFile(os.Stderr))
	logged := authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{AuthConfigProvider: logins})
	solving.Session = []session.Attachable{logged, files}

	daemon, err := client.New(ctx, *address)
	if err != nil {
		return err
	}
	defer daemon.Close()
	display, err := progressui.NewDisplay(os.Stderr, progressui.PlainMode)
	if err != nil {
		return err
	}
	statuses := make(chan *client.SolveStatus)
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error {
		solved, err := daemon.Solve(ctx, nil, solving, statuses)
		if err != nil || *metadata == "" {
			return err
		}
		return write(*metadata, solved.ExporterResponse)
	})
	both.Go(func() error {
		// Not with the build's own context: what it says when it is cancelled is shown as well.
		_, err := display.UpdateFrom(context.WithoutCancel(ctx), statuses)
		return err
	})
	return both.Wait()
}

// write puts what the exporter said into the file NAME, with what is JSON in itself laid open.
func write(name string, response map[string]string) error {
	said := make(map[string]any, len(response))
	for key, value := range response {
		said[key] = value
		if text, err := base64.StdEncoding.DecodeString(value); err == nil && json.Valid(text) {
			said[key] = json.RawMessage(text)
		}
	}
	text, err := json.MarshalIndent(said, "", "  ")
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	return os.WriteFile(name, text, 0o644)
}
