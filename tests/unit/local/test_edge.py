from __future__ import annotations

from longshore.local import edge
from longshore.local.edge import Listener
from longshore.local.place import Place

REDIRECT = {
    "Port": 8080,
    "Protocol": "HTTP",
    "DefaultActions": [
        {
            "Type": "redirect",
            "RedirectConfig": {"Protocol": "HTTPS", "Port": "8443", "StatusCode": "HTTP_301"},
        }
    ],
}
FORWARD = {
    "Port": 8443,
    "Protocol": "HTTPS",
    "DefaultActions": [{"Type": "forward", "TargetGroupArn": "arn:group"}],
}

POLICY = {
    "SslProtocols": ["TLSv1.3", "TLSv1.2"],
    "Ciphers": [
        {"Name": "TLS_AES_128_GCM_SHA256", "Priority": 1},
        {"Name": "ECDHE-RSA-AES128-GCM-SHA256", "Priority": 2},
    ],
}
SECURE = Listener(
    port=8443, protocol="HTTPS", target=30080, names=("shop.localhost",), protocols=("TLSv1.2", "TLSv1.3"),
    ciphers=("TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
)  # fmt: skip


def test_listeners_become_what_they_say() -> None:
    assert edge.listener(REDIRECT, {}, [], {}) == Listener(
        port=8080, protocol="HTTP", redirect="https:8443:301"
    )
    found = edge.listener(FORWARD, {"arn:group": 30080}, ["shop.localhost", "shop.localhost"], POLICY)
    assert found == SECURE


def test_a_redirect_names_the_port_unless_it_is_the_usual_one(place: Place) -> None:
    other = edge.configuration(place, [Listener(port=8080, protocol="HTTP", redirect="https:8443:301")])
    usual = edge.configuration(place, [Listener(port=80, protocol="HTTP", redirect="https:443:302")])
    assert "return 301 https://$host:8443$request_uri;" in other
    assert "return 302 https://$host$request_uri;" in usual


def test_requests_are_sent_on_once_and_over_kept_connections(place: Place) -> None:
    text = edge.configuration(place, [SECURE])
    assert "server 198.19.0.6:30080; keepalive 64;" in text
    assert "proxy_next_upstream off;" in text
    assert 'proxy_set_header Connection "";' in text
    assert text.count("{") == text.count("}")


def test_tls_is_what_the_listeners_policy_allows(place: Place) -> None:
    text = edge.configuration(place, [SECURE])
    assert "listen 127.0.0.1:8443 ssl;" in text
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in text
    assert "ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;" in text
    assert "ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;" in text
    assert "@" not in text


def test_the_edge_listens_on_loopback_alone(place: Place) -> None:
    text = edge.configuration(
        place,
        [
            Listener(port=8443, protocol="HTTPS", target=30080),
            Listener(port=8080, protocol="HTTP", redirect="https:8443:301"),
        ],
    )
    assert text.count("listen ") == text.count("listen 127.0.0.1:") == 2


def test_the_ports_are_those_of_the_written_configuration(place: Place) -> None:
    assert edge.ports(place) == []
    place.state.mkdir(parents=True)
    (place.state / "edge.conf").write_text(
        edge.configuration(place, [Listener(port=8443, protocol="HTTPS", target=1)])
    )
    assert edge.ports(place) == [8443]
    assert not edge.ready(place)
