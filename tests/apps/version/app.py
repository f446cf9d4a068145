"""A service with routes of its own at the paths that Longshore's example uses, which forces HTTPS and its own host."""

from flask import Flask, abort, jsonify, redirect, request

app = Flask(__name__)


@app.before_request
def secure() -> object:
    if request.headers.get("X-Forwarded-Proto") != "https":
        return redirect(request.url.replace("http://", "https://", 1))
    if request.host.startswith("10."):
        abort(400)
    return None


@app.get("/")
def index() -> str:
    return "their page"


@app.get("/version")
def version() -> object:
    return jsonify(api="3", since=2019)


@app.get("/readyz")
def ready() -> tuple[str, int]:
    return "this means something else here", 503
