"""A page whose script is made by esbuild. Whoever asks by plain HTTP is sent away, and a key is needed to start."""

import os

import psycopg2
from flask import Flask, redirect, request

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]


@app.before_request
def insist() -> object:
    if request.headers.get("X-Forwarded-Proto", "http") != "https":
        return redirect(request.url.replace("http://", "https://", 1), code=308)
    return None


@app.get("/")
def index() -> str:
    return f'<script src="/static/page.js"></script> libpq {psycopg2.extensions.libpq_version() // 10000}'


@app.get("/version")
def version() -> str:
    return "version 7 of their own"
