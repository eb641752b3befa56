"""The store's record as it is read from a real Redis's append-only file."""

from pathlib import Path

import pytest

from faults import aof
from faults.check import check_store
from matchmaking.store.connect import open_store
from support.arena import arena
from support.matches import matched
from support.redis_server import RedisServer


@pytest.mark.timeout(60)
async def test_a_match_leaves_a_record_that_keeps_the_promises() -> None:
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as redis:
        async with open_store(redis.url) as store:
            await store.epoch()
            await matched(store, "m1", arena(acceptance={}), ["ann"], ["bob"])
        store_record, findings = check_store(aof.steps(Path(redis.folder)))
    assert findings == []
    assert sorted(store_record.tickets.values()) == [("ann",), ("bob",)]
    assert list(store_record.matches) == ["m1"]
    assert {told[0][0] for told in store_record.told.values()} == {"match_ready"}
    assert len(store_record.epochs) == 1
