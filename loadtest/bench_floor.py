"""What Redis itself needs for what a commit and a delivery must at least write: the floor that the real ones are held against.

    python loadtest/bench_floor.py [--calls 50000]

Two bare scripts without any check, memory or statistics, sent in pipelines of 100 by the client library: a commit of two tickets (out of the queue, their records
gone, one entry in the outbox), and a delivery (count, entry in the player's outbox, publication). Counted is Redis' own time for a call (`INFO commandstats`), so the
rates are what one Redis could do if clients cost nothing.
"""

import argparse
from typing import Any

from deployment import Table, deployment

COMMIT = """
redis.call('ZREM', KEYS[1], ARGV[1], ARGV[2])
redis.call('HDEL', KEYS[2], ARGV[1], ARGV[2])
return redis.call('XADD', KEYS[3], '*', 'match', ARGV[3])
"""
DELIVER = """
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
redis.call('XADD', KEYS[2], seq .. '-0', 'data', ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[1])
return seq
"""
EVENT = b'{"match_id":"0123456789abcdef","opponent":"somebody","teams":[{"name":"side-1"},{"name":"side-2"}],"quality":0.93}'
AT_ONCE = 100  # calls in a pipeline


def rate(client: Any, script: str, calls: int, arguments: Any) -> float:
    """Calls per second of Redis' own time."""
    sha = client.script_load(script)
    client.config_resetstat()
    for first in range(0, calls, AT_ONCE):
        pipeline = client.pipeline(transaction=False)
        for i in range(first, first + AT_ONCE):
            keys, words = arguments(i)
            pipeline.evalsha(sha, len(keys), *keys, *words)
        pipeline.execute()
    return 1e6 / float(client.info("commandstats")["cmdstat_evalsha"]["usec_per_call"])


def main(calls: int) -> None:
    """Both floors."""
    table = Table()
    with deployment(0) as running:
        client = running.redis
        pipeline = client.pipeline(transaction=False)
        for i in range(2 * calls):
            pipeline.zadd("pool:{bare}:queue", {f"t{i}": i})
            pipeline.hset("pool:{bare}:tickets", f"t{i}", EVENT)
            if i % 1000 == 999:
                pipeline.execute()
        keys = ("pool:{bare}:queue", "pool:{bare}:tickets", "pool:{bare}:outbox")
        commits = rate(client, COMMIT, calls, lambda i: (keys, (f"t{2 * i}", f"t{2 * i + 1}", EVENT)))
        table.line("bare Lua: commits of two tickets per second", commits, "1/s")
        per_player = lambda i: ((f"player:{{b{i}}}:connection", f"player:{{b{i}}}:outbox"), (EVENT, f"player:b{i}:updates"))  # noqa: E731
        table.line("bare Lua: deliveries per second", rate(client, DELIVER, calls, per_player), "1/s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=50_000)
    main(parser.parse_args().calls)
