"""A page that counts; nothing here knows where it runs."""

import os

from config import GREETING
from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/")
def index() -> str:
    return GREETING


@app.get("/.longshore/mine")
def mine() -> str:
    return "mine"


@app.get("/secret")
def secret() -> object:
    return jsonify(key=os.environ.get("KEY"))


@app.get("/write")
def write() -> str:
    with open("/srv/notes/a.txt", "a") as file:
        file.write("a")
    return "written"
