"""Records in a bucket of a real store that speaks S3: whole objects that a replay reads, and what becomes of them when the store is not there."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from matchmaking.matcher import record_places
from matchmaking.matcher.job import Job
from matchmaking.matcher.record_places import Bucket, Folder, RecordPlaceError, open_place
from matchmaking.simulation.replay import happened, read_log, replay
from matchmaking.store.redis_store import RedisStore
from support.gateways import shipped_pool
from support.redis_server import free_port
from support.s3_server import s3_server
from telemetry.test_replay import queue


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with s3_server() as variables:
        yield variables


@pytest.fixture
def bucket(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The bucket `games`, as another client sees it."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = boto3.resource("s3", region_name=environment["AWS_REGION"], endpoint_url=environment["AWS_ENDPOINT_URL"]).Bucket("games")
    made.create()
    yield made
    made.objects.all().delete()
    made.delete()


def contents(bucket: Any) -> dict[str, bytes]:
    return {each.key: each.get()["Body"].read() for each in bucket.objects.all()}


async def test_a_matcher_records_into_a_bucket_and_a_replay_finds_the_same_matches(
    store: RedisStore, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_places, "OBJECT_SIZE", 2000)  # several objects of a short record
    await store.put_pool("duel", shipped_pool("duel"))
    stop = asyncio.Event()
    job = Job(store, "duel", "local", stop, record="s3://games/records of/today")
    running = asyncio.ensure_future(job.run())
    for wave in range(3):
        await asyncio.gather(*(queue(store, f"secret-{wave}-{i}", 1500.0 + i) for i in range(6)))
        async with asyncio.timeout(30):
            while job.report.matches < 3 * (wave + 1):
                await asyncio.sleep(0.05)
    stop.set()
    assert (await running).matches == 9
    found = await asyncio.to_thread(contents, bucket)
    assert len(found) > 1
    assert all(name.startswith(f"records of/today/duel-local-{job.id}-0") for name in found)
    assert not any(b"secret" in body for body in found.values())
    log = read_log(*(body.splitlines(keepends=True) for body in found.values()))
    assert len(happened(log).matches) == 9
    assert replay(log, log.rules).matches == happened(log).matches


async def test_a_store_that_is_away_or_refuses_costs_records_and_no_more(
    environment: dict[str, str], bucket: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_places, "PAUSE", 0.01)
    away = Bucket("s3://games/records", "m-1", environment | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"})
    without = Bucket("s3://no-such-bucket", "m-1", environment)
    forged = Bucket("s3://games/records", "m-1", environment | {"AWS_SECRET_ACCESS_KEY": "guessed"})
    for place in (away, without, forged):
        place.write(b"line\n")
        await asyncio.wait_for(place.close(), 30)
    told = [vars(record)["fields"] for record in caplog.records if record.getMessage() == "record lost"]
    assert len(told) == 3
    assert [code in told[i]["error"] for i, code in ((1, "404"), (2, "403"))] == [True, True]
    assert not any(environment["AWS_SECRET_ACCESS_KEY"] in str(fields) for fields in told)
    assert not await asyncio.to_thread(contents, bucket)


def test_a_place_that_is_none_is_said_plainly(tmp_path: Path) -> None:
    assert isinstance(open_place(str(tmp_path), "m-1", {}), Folder)
    with pytest.raises(RecordPlaceError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"):
        open_place("s3://games/records", "m-1", {})
    with pytest.raises(RecordPlaceError, match="names no bucket"):
        open_place("https://games", "m-1", {})
