"""A matcher's record, and its replay: the same rules make the same matches, others make others."""

import asyncio
from pathlib import Path
from random import Random

import msgspec
import pytest
import yaml

from matchmaking.cli import main
from matchmaking.core.duration import Duration
from matchmaking.core.pool import PoolRules, Recording, encode_rules, load_pool
from matchmaking.core.record import RecordedMatch, RecordedRound
from matchmaking.core.ticket import Player, Ticket
from matchmaking.matcher.job import Job
from matchmaking.matcher.record_places import Folder
from matchmaking.matcher.recording import Recorder
from matchmaking.simulation.replay import ReplayError, happened, joined, read_log, replay
from matchmaking.simulation.trace import EXPIRED, LEFT
from matchmaking.store.joining import Join, join
from matchmaking.store.redis_store import RedisStore
from support.gateways import POOLS, shipped_pool


async def queue(store: RedisStore, name: str, rating: float) -> None:
    generation = (await store.take_over(name, "gw-1")).generation
    players = (Player(name, rating, 80.0, recent=("p1", "p2")),)
    request = Join((name,), generation, "1", "duel", "local", "ranked")
    outcome = await join(store, request, lambda place, _: Ticket(place.ticket, "local", "ranked", players, 0.0))
    assert outcome.status == "joined"


def lines(log: Path) -> list[bytes]:
    return log.read_bytes().splitlines(keepends=True)


def recorded_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def only_log(folder: Path) -> Path:
    (log,) = folder.glob("duel-local-*.jsonl")
    return log


@pytest.fixture
async def recorded(store: RedisStore, tmp_path: Path) -> Path:
    """A real matcher over a real Redis, with players who come in three waves; one leaves no trace but its hash."""
    await store.put_pool("duel", shipped_pool("duel"))
    stop, random = asyncio.Event(), Random(5)
    job = Job(store, "duel", "local", stop, record=str(tmp_path))
    running = asyncio.ensure_future(job.run())
    for wave in range(3):
        await asyncio.gather(*(queue(store, f"secret-{wave}-{i}", random.gauss(1500, 150)) for i in range(15)))
        await asyncio.sleep(0.6)
    stop.set()
    report = await running
    assert report.matches >= 10
    return only_log(tmp_path)


async def test_the_same_rules_make_the_same_matches(recorded: Path) -> None:
    log = read_log(lines(recorded))
    then, again = happened(log), replay(log, shipped_pool("duel"))
    assert log.rules == shipped_pool("duel")
    assert len(then.matches) >= 10
    assert again.matches == then.matches
    assert again.rows == [pytest.approx(row) for row in then.rows], "and they are judged the same"
    assert again.waits == pytest.approx(then.waits)
    assert (again.count(LEFT), again.count(EXPIRED), again.waiting) == (0, 0, then.waiting)
    assert not any(b"secret" in line for line in lines(recorded))


async def test_other_rules_make_other_matches(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = yaml.safe_load((POOLS / "duel.yaml").read_text())
    for rule in manifest["spec"]["rules"]:
        if rule.get("attribute") == "rating":
            rule["maxDistance"] = 1
    manifest["spec"].pop("expansions", None)
    strict = load_pool(manifest).spec
    log = read_log(lines(recorded))
    assert len(replay(log, strict).matches) < len(happened(log).matches)
    file = tmp_path / "strict.yaml"
    file.write_text(yaml.safe_dump(manifest))
    report = tmp_path / "report.html"
    assert await asyncio.to_thread(main, ["replay", str(recorded), "--pool", str(file), "--out", str(report)]) == 0
    assert "strict.yaml" in capsys.readouterr().out
    page = report.read_text()
    assert f"{len(log.tickets)} recorded tickets" in page
    assert all(each in page for each in ("strict.yaml", "What differs in the rules", "maxDistance", "Fairness", "A replay shows"))
    assert "<script" not in page
    assert "secret" not in page


def duel(ttl: float = 300.0) -> PoolRules:
    return msgspec.structs.replace(shipped_pool("duel"), ticket=msgspec.structs.replace(shipped_pool("duel").ticket, ttl=Duration(ttl)))


def lone(name: str, rating: float = 1500.0, at: float = 0.0) -> Ticket:
    return Ticket(name, "local", "ranked", (Player(name, rating),), at)


def test_who_left_by_itself_leaves_again_and_who_waits_too_long_expires() -> None:
    far = (lone("a", 100.0), lone("b", 2900.0))
    log = joined(
        [
            RecordedRound("local", "ranked", 1.0, 1, far, rules=msgspec.Raw(encode_rules(duel(60)))),
            RecordedRound("local", "ranked", 2.0, 1, removed=("a",)),
            RecordedRound("local", "ranked", 90.0, 1, removed=("b",)),
        ]
    )
    then, outcome = happened(log), replay(log, duel(60))
    for each in (then, outcome):
        assert (each.matches, each.count(LEFT), each.count(EXPIRED), each.waiting) == ([], 1, 1, 0)
    longer = replay(log, duel(300))
    assert (longer.count(LEFT), longer.count(EXPIRED), longer.waiting) == (1, 0, 1), "who expired then goes on waiting"


def test_logs_of_matchers_that_follow_one_another_or_serve_together_are_one() -> None:
    found = RecordedMatch(("a", "b"), 1.0, 0.0, 0.0, 0.5)
    first = [
        RecordedRound("local", "ranked", 1.0, 1, (lone("a"), lone("c", 2900.0))),
        RecordedRound("local", "ranked", 2.0, 1, removed=("a",)),
    ]
    second = [RecordedRound("local", "ranked", 1.5, 2, (lone("a"), lone("c", 2900.0), lone("b", at=1.4)), matches=(found,))]
    log = joined([*second, *first])
    then, again = happened(log), replay(log, duel())
    assert then.matches == again.matches == [("a", "b")]
    assert (then.seen, then.waiting, then.count(LEFT)) == (again.seen, again.waiting, again.count(LEFT)) == (3, 1, 0)


async def test_a_matcher_records_the_pools_that_ask_for_it_as_soon_as_they_do(store: RedisStore, tmp_path: Path) -> None:
    rules = msgspec.structs.replace(
        shipped_pool("duel"), scaling=msgspec.structs.replace(shipped_pool("duel").scaling, idle_timeout=Duration(60))
    )
    await store.put_pool("duel", rules)
    stop = asyncio.Event()
    running = asyncio.ensure_future(Job(store, "duel", "local", stop, record=str(tmp_path), record_always=False).run())
    await queue(store, "first", 1500.0)
    await asyncio.sleep(0.5)
    assert not recorded_in(tmp_path)
    await store.put_pool("duel", msgspec.structs.replace(rules, recording=Recording(enabled=True)))
    async with asyncio.timeout(30):
        while not recorded_in(tmp_path):
            await asyncio.sleep(0.1)
    await queue(store, "second", 1500.0)
    async with asyncio.timeout(30):
        while not happened(read_log(lines(only_log(tmp_path)))).matches:
            await asyncio.sleep(0.1)
    stop.set()
    await running
    assert read_log(lines(only_log(tmp_path))).rules.recording.enabled


async def test_a_record_that_cannot_be_written_ends_and_the_matcher_goes_on(
    store: RedisStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await store.put_pool("duel", shipped_pool("duel"))
    stop = asyncio.Event()
    job = Job(store, "duel", "local", stop, record=str(tmp_path / "no such folder"))
    running = asyncio.ensure_future(job.run())
    for name in ("alice", "bob"):
        await queue(store, name, 1500.0)
    async with asyncio.timeout(30):
        while not job.report.matches:
            await asyncio.sleep(0.05)
    stop.set()
    assert (await running).matches == 1
    assert [record.getMessage() for record in caplog.records].count("recording ended") == 1


def test_a_log_that_cannot_be_replayed_is_refused(tmp_path: Path) -> None:
    good = b'{"region":"local","mode":"ranked","now":1,"seed":1}\n'
    with pytest.raises(ReplayError, match="line 2"):
        read_log([good, b"{\n"])
    with pytest.raises(ReplayError, match="empty"):
        read_log([])
    assert len(read_log([good, b'{"region":"lo']).lines) == 1, "its matcher was killed"
    with pytest.raises(ReplayError, match="mars/ranked"):
        replay(joined([RecordedRound("mars", "ranked", 1.0, 1)]), shipped_pool("duel"))
    with pytest.raises(ReplayError, match="rules of the time"):
        _ = read_log([good]).rules
    assert main(["replay", str(tmp_path / "none"), "--pool", str(POOLS / "duel.yaml")]) == 2
    log = tmp_path / "log"
    log.write_bytes(good)
    assert main(["replay", str(log), "--pool", str(POOLS / "duel.yaml"), "--out", str(tmp_path / "none" / "report.html")]) == 2


async def test_a_recorder_says_nothing_of_idle_rounds(tmp_path: Path) -> None:
    recorder = Recorder(Folder(tmp_path, "duel-local-m-1"))
    recorder.note(("local", "ranked"), shipped_pool("duel"), [], 1.0)
    await recorder.close()
    assert not recorded_in(tmp_path)
