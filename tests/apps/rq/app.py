"""Takes orders, and hands them to workers by RQ; nothing here knows where it runs."""

from flask import Flask, jsonify
from rq import Queue, Retry
from work import store, work

app = Flask(__name__)
queue = Queue(connection=store)


@app.get("/")
def index() -> str:
    return "workers"


@app.get("/add/<int:number>/<int:seconds>")
def add(number: int, seconds: int) -> str:
    queue.enqueue(work, number, seconds, retry=Retry(max=3))
    return "added"


@app.get("/told")
def told() -> object:
    names = ("begun", "done", "marks")
    return jsonify({name: [each.decode() for each in store.lrange(name, 0, -1)] for name in names})
