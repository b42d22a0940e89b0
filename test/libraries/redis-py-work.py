# What redis-py does for its test: scenes that say nothing when all is as it should be.
# Called as: redis-py-work.py <port> <scene>

import sys
import threading

import redis

DEADLINE_S = 20

port = int(sys.argv[1])
client = redis.Redis(port=port, decode_responses=True)


def scene_collections():
    assert client.hset("user:7", mapping={"name": "Ada", "score": 150}) == 2
    assert client.hincrby("user:7", "score", 25) == 175
    assert client.hgetall("user:7") == {"name": "Ada", "score": "175"}
    assert client.rpush("queue", "a", "b", "c") == 3
    assert client.lrange("queue", 0, -1) == ["a", "b", "c"]
    assert client.lpop("queue", 2) == ["a", "b"]
    assert client.lmove("queue", "done", "LEFT", "RIGHT") == "c" and not client.exists("queue")
    assert client.sadd("s", "x", "y") == 2 and client.sadd("t", "y", "z") == 2
    assert client.sinter("s", "t") == {"y"} and client.sunionstore("u", "s", "t") == 3
    assert client.zadd("board", {"ada": 175, "bob": 90.5}) == 2
    assert client.zincrby("board", 100, "bob") == 190.5 and client.zrevrank("board", "bob") == 0
    assert client.zrange("board", 0, -1, withscores=True) == [("ada", 175.0), ("bob", 190.5)]
    assert client.zpopmin("board") == [("ada", 175.0)]
    places = [13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"]
    assert client.geoadd("places", places) == 2
    assert client.geodist("places", "Palermo", "Catania", "km") == 166.2742
    assert client.pfadd("visitors", *range(100)) == 1 and 95 < client.pfcount("visitors") < 105
    client.hset("big", mapping={f"field:{n}": n for n in range(1000)})
    assert len(dict(client.hscan_iter("big", count=10))) == 1000


def scene_streams():
    ids = [client.xadd("events", {"n": n}) for n in range(3)]
    assert client.xlen("events") == 3
    assert client.xrange("events", ids[1], "+")[0] == (ids[1], {"n": "1"})
    assert client.xgroup_create("events", "workers", 0)
    [[name, entries]] = client.xreadgroup("workers", "w1", {"events": ">"}, count=2)
    assert name == "events" and [entry[0] for entry in entries] == ids[:2]
    assert client.xpending("events", "workers")["pending"] == 2
    assert client.xack("events", "workers", ids[0]) == 1
    assert client.xautoclaim("events", "workers", "w2", 0)[1] == [(ids[1], {"n": "1"})]
    assert client.xinfo_stream("events")["length"] == 3
    assert client.xinfo_groups("events")[0]["last-delivered-id"] == ids[1]


def scene_transactions():
    with client.pipeline() as pipeline:
        replies = pipeline.set("a", 1).incr("a").lpush("list", "x").execute()
        assert replies == [True, 2, 1]
    with client.pipeline() as pipeline:
        pipeline.watch("a")
        client.set("a", 100)
        pipeline.multi()
        pipeline.set("a", 3)
        try:
            pipeline.execute()
            raise AssertionError("the watched key has changed")
        except redis.WatchError:
            pass

    def double(pipeline):
        value = int(pipeline.get("a"))
        pipeline.multi()
        pipeline.incrby("a", value)

    assert client.transaction(double, "a") == [200]

    add = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert add(keys=["a"], args=[9]) == 209
    client.script_flush()
    assert add(keys=["a"], args=[1]) == 210

    with client.lock("lock", timeout=10) as lock:
        assert lock.owned() and not client.lock("lock", blocking=False).acquire()
    assert client.get("lock") is None


def scene_messages():
    subscriber = client.pubsub()
    subscriber.subscribe("news")
    subscriber.psubscribe("n*")
    assert [subscriber.get_message(timeout=DEADLINE_S)["data"] for _ in range(2)] == [1, 2]
    assert client.publish("news", "hello") == 2
    messages = [subscriber.get_message(timeout=DEADLINE_S) for _ in range(2)]
    assert sorted(message["type"] for message in messages) == ["message", "pmessage"]
    assert {message["data"] for message in messages} == {"hello"}
    assert client.pubsub_numsub("news") == [("news", 1)]
    subscriber.close()

    popped = []
    waiter = threading.Thread(target=lambda: popped.append(client.blpop("jobs", DEADLINE_S)))
    waiter.start()
    client.rpush("jobs", "first")
    waiter.join()
    assert popped == [("jobs", "first")]


def scene_operators():
    client.set("key", "x" * 100)
    assert client.memory_usage("key") > 100 and client.info()["redis_mode"] == "standalone"
    assert client.info("keyspace")["db0"]["keys"] == 1
    assert "client|list" in [each["cmd"] for each in client.client_list()]
    assert client.command()["get"]["arity"] == 2 and client.command_count() > 200
    assert client.slowlog_get() is not None and client.acl_whoami() == "default"
    assert client.config_set("slowlog-max-len", 64) and client.time()[0] > 1_600_000_000
    assert client.sort("missing") == []
    assert client.restore("copy", 0, redis.Redis(port=port).dump("key"))
    assert client.get("copy") == "x" * 100


client.flushall()
globals()[f"scene_{sys.argv[2]}"]()
