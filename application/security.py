"""Request limits and security headers."""

from __future__ import annotations

from flask import Flask, Response, abort, request
from secure import Secure
from secure.headers import (
    ContentSecurityPolicy,
    CrossOriginOpenerPolicy,
    CrossOriginResourcePolicy,
    PermissionsPolicy,
    ReferrerPolicy,
    StrictTransportSecurity,
    XContentTypeOptions,
    XFrameOptions,
)
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from application.settings import Settings

# The kubelet, the load balancer and Prometheus connect by IP address, so these routes accept any Host.
ANY_HOST = frozenset({"probes.livez", "probes.readyz", "metrics"})
FORM_BYTES = 65_536
FORM_PARTS = 100


def install(app: Flask, settings: Settings) -> None:
    """Apply SETTINGS' limits and the security headers to every request of APP."""
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=min(FORM_BYTES, settings.max_body_bytes),
        MAX_FORM_PARTS=FORM_PARTS,
    )
    if hops := settings.proxy_hops:
        # Proxies append to X-Forwarded-For, but the last one replaces the scheme. Never trust X-Forwarded-Host and
        # -Prefix: the load balancer passes on whatever a client sends.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=1, x_host=0)  # type: ignore[method-assign]
    headers = _headers()
    hsts = StrictTransportSecurity().max_age(settings.hsts_seconds)

    def refuse() -> None:
        limited = settings.trusted_hosts and request.endpoint not in ANY_HOST
        if limited and not host_is_trusted(request.host.lower(), settings.trusted_hosts):
            abort(400, "This service is not available under that host name.")
        # Flask checks this only when a view reads the body, which no view here does.
        if (request.content_length or 0) > settings.max_body_bytes:
            abort(413)

    def harden(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        # The load balancer redirects to HTTPS: here, probes use plain HTTP and must be answered.
        if request.is_secure and settings.hsts_seconds:
            response.headers.setdefault(hsts.header_name, hsts.header_value)
        return response

    app.before_request(refuse)
    app.after_request(harden)


def _headers() -> dict[str, str]:
    """Return headers that allow only our own style sheet and images."""
    policy = ContentSecurityPolicy().default_src("'none'").style_src("'self'").img_src("'self'")
    policy = policy.base_uri("'none'").form_action("'none'").frame_ancestors("'none'")
    return dict(
        Secure(
            csp=policy,
            coop=CrossOriginOpenerPolicy().same_origin(),
            corp=CrossOriginResourcePolicy().same_origin(),
            permissions=PermissionsPolicy().geolocation().camera().microphone(),
            referrer=ReferrerPolicy().no_referrer(),
            xcto=XContentTypeOptions().nosniff(),
            xfo=XFrameOptions().deny(),
        ).headers
    )
