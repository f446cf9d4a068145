package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/defaults"
	"github.com/containerd/containerd/v2/plugins/snapshots/native"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay/overlayutils"
	"github.com/moby/buildkit/cache/remotecache"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/cmd/buildkitd/config"
	"github.com/moby/buildkit/control"
	"github.com/moby/buildkit/executor/oci"
	"github.com/moby/buildkit/frontend"
	dockerfile "github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway"
	"github.com/moby/buildkit/frontend/gateway/forwarder"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/solver"
	"github.com/moby/buildkit/solver/bboltcachestorage"
	"github.com/moby/buildkit/util/apicaps"
	"github.com/moby/buildkit/util/db/boltutil"
	"github.com/moby/buildkit/util/disk"
	"github.com/moby/buildkit/util/grpcerrors"
	_ "github.com/moby/buildkit/util/grpcutil/encoding/proto"
	"github.com/moby/buildkit/util/network/netproviders"
	"github.com/moby/buildkit/util/resolver"
	"github.com/moby/buildkit/version"
	"github.com/moby/buildkit/worker"
	"github.com/moby/buildkit/worker/base"
	"github.com/moby/buildkit/worker/runc"
	"google.golang.org/grpc"
)

// daemon serves builds until CTX ends. Its one argument is the path of a buildkitd.toml; the settings of other workers, TLS, traces and
// remote caches mean nothing to it.
func daemon(ctx context.Context, arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("usage: buildkitd SETTINGS.toml")
	}
	settings, err := config.LoadFile(arguments[0])
	if err != nil {
		return err
	}
	apicaps.ExportedProduct = "buildkit"
	if err := os.MkdirAll(settings.Root, 0o700); err != nil {
		return err
	}
	controller, err := newController(ctx, &settings)
	if err != nil {
		return err
	}
	defer controller.Close()
	socket := strings.TrimPrefix(settings.GRPC.Address[0], "unix://")
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	if err := os.Chmod(socket, 0o660); err != nil {
		return err
	}
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(grpcerrors.UnaryServerInterceptor),
		grpc.StreamInterceptor(grpcerrors.StreamServerInterceptor),
		grpc.MaxRecvMsgSize(defaults.DefaultMaxRecvMsgSize),
		grpc.MaxSendMsgSize(defaults.DefaultMaxSendMsgSize),
	)
	controller.Register(server)
	context.AfterFunc(ctx, server.GracefulStop)
	return server.Serve(listener)
}

func newController(ctx context.Context, settings *config.Config) (*control.Controller, error) {
	sessions, err := session.NewManager()
	if err != nil {
		return nil, err
	}
	only, err := newWorker(ctx, settings)
	if err != nil {
		return nil, err
	}
	workers := &worker.Controller{}
	if err := workers.Add(only); err != nil {
		return nil, err
	}
	named, err := gateway.NewGatewayFrontend(workers.Infos(), nil)
	if err != nil {
		return nil, err
	}
	steps, err := bboltcachestorage.NewStore(filepath.Join(settings.Root, "cache.db"))
	if err != nil {
		return nil, err
	}
	history, err := boltutil.SafeOpen(filepath.Join(settings.Root, "history.db"), 0o600, nil)
	if err != nil {
		return nil, err
	}
	return control.NewController(control.Opt{
		SessionManager:   sessions,
		WorkerController: workers,
		Frontends: map[string]frontend.Frontend{
			"dockerfile.v0": forwarder.NewGatewayForwarder(workers.Infos(), dockerfile.Build),
			"gateway.v0":    named, // a Dockerfile's `# syntax=`
		},
		CacheManager:              solver.NewCacheManager(ctx, "local", steps, worker.NewCacheResultStorage(workers)),
		ResolveCacheExporterFuncs: map[string]remotecache.ResolveCacheExporterFunc{},
		ResolveCacheImporterFuncs: map[string]remotecache.ResolveCacheImporterFunc{},
		HistoryDB:                 history,
		HistoryConfig:             settings.History,
		CacheStore:                steps,
		LeaseManager:              only.LeaseManager(),
		ContentStore:              only.ContentStore(),
		GarbageCollect:            only.GarbageCollect,
		GracefulStop:              ctx.Done(),
	})
}

// newWorker returns the one worker: runc, on overlayfs where the file system can carry it.
func newWorker(ctx context.Context, settings *config.Config) (*base.Worker, error) {
	chosen := settings.Workers.OCI
	snapshotter := runc.SnapshotterFactory{Name: "native", New: native.NewSnapshotter}
	if overlayutils.Supported(settings.Root) == nil {
		snapshotter.Name = "overlayfs"
		snapshotter.New = func(root string) (snapshots.Snapshotter, error) {
			return overlay.NewSnapshotter(root, overlay.AsynchronousRemove)
		}
	}
	hosts := resolver.NewRegistryConfig(settings.Registries)
	options, err := runc.NewWorkerOpt(
		settings.Root, snapshotter, false, oci.ProcessSandbox, nil, nil, netproviders.Opt{Mode: chosen.Mode}, nil, chosen.Binary, "", false,
		nil, "", chosen.DefaultCgroupParent, nil,
	)
	if err != nil {
		return nil, err
	}
	free, err := disk.GetDiskStat(settings.Root)
	if err != nil {
		return nil, err
	}
	for _, rule := range config.DefaultGCPolicy(chosen.GCConfig, free) {
		options.GCPolicy = append(options.GCPolicy, client.PruneInfo{
			Filter:        rule.Filters,
			All:           rule.All,
			KeepDuration:  rule.KeepDuration.Duration,
			ReservedSpace: rule.ReservedSpace.AsBytes(free),
			MaxUsedSpace:  rule.MaxUsedSpace.AsBytes(free),
			MinFreeSpace:  rule.MinFreeSpace.AsBytes(free),
		})
	}
	options.BuildkitVersion = client.BuildkitVersion{Package: version.Package, Version: version.Version}
	options.RegistryHosts = hosts
	return base.NewWorker(ctx, options)
}
