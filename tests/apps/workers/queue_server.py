"""Speaks Redis' protocol, which is what this application needs of Redis."""

from fakeredis import TcpFakeServer

TcpFakeServer(("0.0.0.0", 6379), server_type="redis").serve_forever()
