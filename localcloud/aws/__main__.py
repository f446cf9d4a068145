"""`python -m localcloud.aws`: serve the local AWS until SIGTERM."""

from __future__ import annotations

import argparse
import logging
import logging.handlers
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from localcloud import secret
from localcloud.aws import parent, state
from localcloud.aws.call import Environ
from localcloud.aws.iam import ensure_operator
from localcloud.aws.options import Options
from localcloud.aws.server import Application

LOG_BYTES = 5_000_000
LOG = logging.getLogger("localcloud.aws")


class Handler(MotoRequestHandler):
    """Sends an answer at once, and notes each that nobody took: its client asks again, or reports a failure."""

    wbufsize = 1 << 16  # bytes; the SDKs for Go may lose an answer whose body comes after its headers (decision 67)

    def handle_expect_100(self) -> bool:
        """Tell a client to send its body: it waits a second for that. Called by http.server."""
        told = super().handle_expect_100()
        self.wfile.flush()
        return told

    def connection_dropped(self, error: BaseException, environ: Environ | None = None) -> None:  # noqa: ARG002
        """Note what happened to the connection; called by werkzeug."""
        what = getattr(self, "requestline", "").partition("?")[0]  # absent if it ended before the first line
        LOG.info("an answer was not taken: %s: %s", what, error)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localcloud.aws", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder for snapshot, credentials and request log")
    parser.add_argument("--listen", action="append", required=True, metavar="HOST:PORT", help="may be repeated")
    parser.add_argument("--cluster", type=Path, help="JSON file about the real API server: endpoint, ca, issuer, name")
    parser.add_argument("--registry", default="", metavar="HOST:PORT", help="registry to return from ECR")
    parser.add_argument(
        "--docker-config", type=Path, default=Path("/nonexistent"), help="folder with the login of that registry"
    )
    parser.add_argument("--dns", metavar="HOST:PORT", help="answer DNS queries for what STATE/parent.zone delegates")
    return parser.parse_args(argv)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise SystemExit(f"{text!r} is not HOST:PORT")
    return host, int(port)


def _log_requests(path: Path) -> None:
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    logging.getLogger("werkzeug").setLevel(logging.ERROR)


def main(argv: list[str]) -> int:
    """Serve until SIGTERM or Ctrl-C, then save. Returns 0, or 3 if an address is taken or the folder unusable."""
    arguments = _arguments(argv)
    addresses = [_address(text) for text in arguments.listen]
    try:
        arguments.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        _log_requests(arguments.state / "requests.log")
    except OSError as problem:
        print(f"cannot use {arguments.state}: {problem.strerror}", file=sys.stderr)
        return 3

    hosts = {f"{host}:{port}" for host, port in addresses}
    hosts |= {f"localhost:{port}" for host, port in addresses if host == "127.0.0.1"}
    snapshot = arguments.state / "snapshot"
    options = Options(
        frozenset(hosts),
        arguments.cluster,
        arguments.registry,
        arguments.docker_config,
        secret=secret.ensure(arguments.state / "secret"),
        issuers=arguments.state / "issuers.json",
        parent=arguments.state / "parent.zone",
    )
    application = Application(options, snapshot)
    try:
        state.restore(snapshot)
    except state.Unreadable as problem:
        print(problem, file=sys.stderr, flush=True)
    servers: list[BaseWSGIServer] = []
    try:
        ensure_operator(arguments.state / "credentials")
        for host, port in addresses:
            _free(host, port)
            servers.append(make_server(host, port, application, threaded=True, request_handler=Handler))
        if arguments.dns:
            parent.serve(*_address(arguments.dns))
        application.saver.save()
    except OSError as problem:
        print(f"cannot start: {problem.strerror or problem}", file=sys.stderr)
        return 3
    return _serve(application, servers)


def _free(host: str, port: int) -> None:
    """Raise OSError with the address if it is taken; werkzeug would print and exit."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            raise OSError(problem.errno, f"{host}:{port}: {problem.strerror}") from None


def _serve(application: Application, servers: Sequence[BaseWSGIServer]) -> int:
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)  # inherited by the threads, so only sigwait sees them
    for run in (*(server.serve_forever for server in servers), application.saver.run, application.monitor.run):
        threading.Thread(target=run, daemon=True).start()
    print("ready", flush=True)
    signal.sigwait(stop)
    for server in servers:
        server.shutdown()
    application.saver.end()
    try:
        application.saver.save()
    except OSError as problem:
        print(f"cannot save the state: {problem.strerror}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
