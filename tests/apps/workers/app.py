"""Takes orders, and hands them to workers by a queue; nothing here knows where it runs."""

import os
import time

import redis
from celery import Celery
from flask import Flask, jsonify

QUEUE = f"redis://{os.environ.get('QUEUE_SERVICE_HOST', 'queue')}:6379/0"
app = Flask(__name__)
store = redis.Redis.from_url(QUEUE, decode_responses=True)
celery = Celery("app", broker=QUEUE)
celery.conf.update(
    task_acks_late=True,  # a worker that is killed hands nothing in: somebody else gets its work
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_transport_options={"visibility_timeout": 20},
)


@celery.task
def work(number: int, seconds: float) -> None:
    store.rpush("begun", number)
    time.sleep(seconds)
    store.rpush("done", number)


@app.get("/")
def index() -> str:
    return "workers"


@app.get("/add/<int:number>/<int:seconds>")
def add(number: int, seconds: int) -> str:
    work.delay(number, seconds)
    return "added"


@app.get("/told")
def told() -> object:
    names = ("begun", "done", "marks")
    return jsonify({name: store.lrange(name, 0, -1) for name in names})


@app.cli.command("mark")
def mark() -> None:
    """What the job and the cron job do."""
    store.rpush("marks", os.environ.get("WHO", "") + os.environ["POD_NAME"])
