"""A site over real TLS whose answers a test decides; as an API server where a kubeconfig leads to it."""

from __future__ import annotations

import base64
import contextlib
import datetime
import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from longshore.commands.kubectl import Cluster
from longshore.settings.model import Environment

# The page with which a load balancer's web ACL refuses a request.
BLOCKED = (
    "<html>\r\n<head><title>403 Forbidden</title></head>\r\n"
    "<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n</body>\r\n</html>\r\n"
)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64  # of connections that nobody has accepted yet: with 5, further ones wait for a second
    daemon_threads = True


class Site:
    environment: Environment  # where a test needs one

    def __init__(self, folder: Path) -> None:
        self.answers: list[object] = []
        self.choosing = threading.Lock()
        self.asked: list[tuple[str, str, object]] = []  # method, path, what was sent
        self.agents: list[str | None] = []  # the User-Agent of each request
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.agents.append(self.headers["User-Agent"])
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                site.asked.append((self.command, self.path, json.loads(sent or "null")))
                with site.choosing:
                    answer = site.answers.pop(0) if len(site.answers) > 1 else site.answers[0]
                refused = isinstance(answer, dict) and answer.get("kind") == "Status"
                blocked = answer == BLOCKED
                body = BLOCKED.encode() if blocked else json.dumps(answer).encode()
                code = answer if isinstance(answer, int) else answer["code"] if refused else 200
                self.send_response(403 if blocked else code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_PATCH = do_GET  # noqa: N815 - the base class looks for this name

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.authority, key = certificate(folder)
        self.server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://shop.localhost:{self.server.server_port}"


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Site]:
    site = Site(folder)
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


def cluster_at(url: str, authority: Path, *, kubectl: str = "kubectl", token: str = "right") -> Cluster:
    """Write a kubeconfig beside AUTHORITY that leads to URL with TOKEN; return the cluster that it names."""
    data = base64.b64encode(authority.read_bytes()).decode()
    server = {"server": url, "certificate-authority-data": data, "tls-server-name": "shop.localhost"}
    config = {
        "clusters": [{"name": "c", "cluster": server}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": token}}],
    }
    path = authority.parent / "kubeconfig"
    path.write_text(json.dumps(config))
    return Cluster(kubectl=kubectl, kubeconfig=path, context="here", namespace="shop")


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for shop.localhost and 127.0.0.1 that is its own authority; return it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName(
        [x509.DNSName("shop.localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key").write_bytes(private)
    return folder / "crt", folder / "key"
