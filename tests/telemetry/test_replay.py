"""A matcher's record, and its replay: the same rules make the same matches, others make others."""

import asyncio
from pathlib import Path
from random import Random

import msgspec
import pytest
import yaml

from matchmaking.cli import main
from matchmaking.core.duration import Duration
from matchmaking.core.pool import load_pool
from matchmaking.core.ticket import Player, Ticket
from matchmaking.matcher.job import Job
from matchmaking.matcher.recording import Recorder
from matchmaking.simulation.replay import Line, ReplayError, happened, read_log, replay
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
    return log.read_bytes().splitlines()


def only_log(folder: Path) -> Path:
    (log,) = folder.glob("duel-local-*.jsonl")
    return log


@pytest.fixture
async def recorded(store: RedisStore, tmp_path: Path) -> Path:
    """A real matcher over a real Redis, with players who come in three waves; one leaves no trace but its hash."""
    await store.put_pool("duel", shipped_pool("duel"))
    stop, random = asyncio.Event(), Random(5)
    job = Job(store, "duel", "local", stop, record=tmp_path)
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
    assert len(then.matches) >= 10
    assert again.matches == then.matches
    assert again.waits == pytest.approx(then.waits)
    assert (again.left, again.expired, again.waiting) == (0, 0, then.waiting)
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
    assert await asyncio.to_thread(main, ["replay", str(recorded), "--pool", str(file)]) == 0
    assert "strict.yaml" in capsys.readouterr().out


def test_who_left_by_itself_leaves_again_and_who_waits_too_long_expires() -> None:
    rules = msgspec.structs.replace(shipped_pool("duel"), ticket=msgspec.structs.replace(shipped_pool("duel").ticket, ttl=Duration(60)))
    far = [Ticket(name, "local", "ranked", (Player(name, rating),), 0.0) for name, rating in (("a", 100.0), ("b", 2900.0))]
    log = [Line("local", "ranked", 1.0, 1, tuple(far)), Line("local", "ranked", 2.0, 1, removed=("a",)), Line("local", "ranked", 90.0, 1)]
    outcome = replay(log, rules)
    assert (outcome.matches, outcome.left, outcome.expired, outcome.waiting) == ([], 1, 1, 0)


def test_a_log_that_cannot_be_replayed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="line 2"):
        read_log([b'{"region":"local","mode":"ranked","now":1,"seed":1}', b"{"])
    with pytest.raises(ReplayError, match="empty"):
        read_log([])
    with pytest.raises(ReplayError, match="mars/ranked"):
        replay([Line("mars", "ranked", 1.0, 1)], shipped_pool("duel"))
    assert main(["replay", str(tmp_path / "none"), "--pool", str(POOLS / "duel.yaml")]) == 2


def test_a_recorder_says_nothing_of_idle_rounds(tmp_path: Path) -> None:
    from matchmaking.core.queue import QueueView
    from matchmaking.core.round import Round

    recorder = Recorder(tmp_path, "duel", "local", "m-1")
    recorder.note(("local", "ranked"), QueueView(), 1.0, Round((), {}))
    recorder.close()
    assert (tmp_path / "duel-local-m-1.jsonl").read_bytes() == b""
