from __future__ import annotations

import socket

import pytest

from localcloud.ports import holder, listeners, require_free
from longshore.errors import Precondition

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31337 1 0 100 0 0 10 0
   1: 0100007F:20FB 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 31338 1 0 100 0 0 10 0
"""


def test_only_listening_sockets_hold_a_port() -> None:
    assert listeners(TABLE, 8443) == ["31337"]
    assert listeners(TABLE, 8080) == []


def test_a_taken_port_is_named_with_the_process_that_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Precondition, match=rf"port {port} is taken by .* \(pid \d+\)") as raised:
            require_free(port, "the edge", "`https_port`")
        assert raised.value.hint == "end that process, or set another `https_port` in longshore.toml"
    assert holder(port) == 0
    require_free(port, "the edge", "")
