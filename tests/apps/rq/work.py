"""What the workers do."""

import os
import time

import redis

store = redis.Redis.from_url(f"redis://{os.environ.get('QUEUE_SERVICE_HOST', 'queue')}:6379/0")


def work(number: int, seconds: float) -> None:
    store.rpush("begun", number)
    time.sleep(seconds)
    store.rpush("done", number)
