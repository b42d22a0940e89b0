# What RQ does for its test, and says as one line of JSON. Called as: rq-jobs.py <port> <scene>

import importlib.util
import json
import sys
import time
from datetime import datetime, timedelta, timezone

import redis
from rq import Queue, Retry, SimpleWorker, Worker
from rq.job import Job
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry

DEADLINE_S = 20

# Jobs name their functions by module: this file is one under this name, for workers too.
MODULE = "rq_jobs"


def add(a, b):
    return a + b


def fail_until(key, tries):
    """Fails until it was tried that often."""
    if connection.incr(key) < tries:
        raise ValueError("not yet")
    return "done"


def total(key):
    return connection.incr(key)


def work(*queues, forks=False, **options):
    kind = Worker if forks else SimpleWorker
    kind(list(queues), connection=connection).work(burst=True, logging_level="ERROR", **options)


def scene_results():
    """Jobs of three queues, the more urgent first, by a worker that forks for each."""
    queues = [Queue(name, connection=connection) for name in ("high", "low")]
    jobs = [queues[i % 2].enqueue(add, i, 100) for i in range(6)]
    waiting = [len(queue) for queue in queues]
    work(*queues, forks=True)
    finished = [FinishedJobRegistry(queue=queue).count for queue in queues]
    results = [Job.fetch(job.id, connection=connection).result for job in jobs]
    return {"waiting": waiting, "results": results, "finished": finished}


def scene_retries():
    queue = Queue("retries", connection=connection)
    flaky = queue.enqueue(fail_until, "flaky", 3, retry=Retry(max=3))
    hopeless = queue.enqueue(fail_until, "hopeless", 10, retry=Retry(max=1))
    work(queue)
    failed = FailedJobRegistry(queue=queue)
    hopeless.refresh()
    before = {
        "flaky": Job.fetch(flaky.id, connection=connection).result,
        "hopeless": hopeless.get_status(),
        "error": hopeless.exc_info.strip().splitlines()[-1],
        "failed": failed.get_job_ids() == [hopeless.id],
        "tries": int(connection.get("hopeless")),
    }
    connection.set("hopeless", 100)
    failed.requeue(hopeless.id)
    work(queue)
    return {**before, "again": Job.fetch(hopeless.id, connection=connection).result}


def scene_dependencies():
    queue = Queue("dependencies", connection=connection)
    first = [queue.enqueue(total, "total") for _ in range(3)]
    last = queue.enqueue(total, "total", depends_on=first)
    deferred = last.get_status()
    work(queue)
    return {"deferred": deferred, "last": Job.fetch(last.id, connection=connection).result}


def scene_schedule():
    queue = Queue("schedule", connection=connection)
    soon = queue.enqueue_in(timedelta(seconds=1), add, 1, 2)
    late = queue.enqueue_at(datetime.now(timezone.utc) + timedelta(days=1), add, 3, 4)
    registry = ScheduledJobRegistry(queue=queue)
    scheduled = registry.count
    deadline = time.time() + DEADLINE_S
    while soon.get_status() != "finished" and time.time() < deadline:
        for due in registry.get_jobs_to_enqueue():
            registry.remove(due)
            queue.enqueue_job(Job.fetch(due, connection=connection))
        work(queue)
        time.sleep(0.05)
    result = Job.fetch(soon.id, connection=connection).result
    return {"scheduled": scheduled, "soon": result, "left": registry.get_job_ids() == [late.id]}


def scene_deletion():
    """Emptying a queue is a Lua script that deletes keys it finds in a list."""
    queue = Queue("deletion", connection=connection)
    jobs = [queue.enqueue(add, i, i) for i in range(50)]
    jobs[7].cancel()
    left = len(queue)
    emptied = queue.empty()
    keys = len(list(connection.scan_iter("rq:job:*")))
    queue.delete()
    return {"left": left, "emptied": emptied, "keys": keys, "queues": len(Queue.all(connection))}


def start(port):
    global connection
    connection = redis.Redis(port=port)


if __name__ == "__main__":
    spec = importlib.util.spec_from_file_location(MODULE, __file__)
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module
    spec.loader.exec_module(module)
    module.start(int(sys.argv[1]))
    module.connection.flushall()
    print(json.dumps(getattr(module, f"scene_{sys.argv[2]}")()))
