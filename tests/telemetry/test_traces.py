"""Traces, as a collector gets them: one of each join, through gateways and matchers that are processes of their own. Off, nothing of them is loaded."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import websockets

from deployment import Deployment, GatewayProcess, deployment
from matchmaking.core.matching import find_matches
from matchmaking.core.queue import QueueView
from matchmaking.core.ticket import Player as TicketPlayer
from matchmaking.core.ticket import Ticket
from matchmaking.matcher.commits import commit_all
from matchmaking.store.joining import record_decoder
from matchmaking.store.redis_store import RedisStore
from matchmaking.store.values import Place
from matchmaking.telemetry.logs import hashed
from matchmaking.telemetry.traces import NO_TRACES, Traces, TracesError, check_available, open_traces, traces_endpoint
from support.gateways import Player, gateway, matcher, random, shipped_pool
from support.redis_server import free_port
from support.tokens import Signer
from support.trace_collector import TraceCollector, trace_collector

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LOADED = (
    "print(sorted(name for name, module in sys.modules.items() if name.startswith('opentelemetry') and getattr(module, '__file__', None)))"
)


@pytest.fixture
def collector() -> Iterator[TraceCollector]:
    with trace_collector() as started:
        yield started


async def sign_in(running: Deployment, at: GatewayProcess, name: str) -> Player:
    headers = {"Authorization": f"Bearer {running.keys.token(name)}"}
    url = f"ws://127.0.0.1:{at.port}/ws/{name}"
    player = Player(await websockets.connect(url, subprotocols=["gsm.v1"], additional_headers=headers))  # type: ignore[list-item]
    await player.greeted()
    return player


async def test_one_trace_tells_of_a_join_through_gateway_redis_and_matcher_to_the_match(collector: TraceCollector) -> None:
    with deployment(2, traces_url=collector.url) as running:
        players = [await sign_in(running, at, name) for at, name in zip(running.gateways, ("alice", "bob"), strict=True)]
        tickets = [(await player.join())["data"]["ticket_id"] for player in players]
        started = running.add_matcher(MATCHMAKING_TRACES_URL=collector.url)
        matches = {(await player.receive("match_found", 60))["data"]["match_id"] for player in players}
        assert len(matches) == 1
        await collector.until("both were told", lambda: len(collector.named("match_found")) == len(collector.named("match")) == 2)
        for player in players:
            await player.socket.close()
        for at, ticket in zip(running.gateways, tickets, strict=True):
            (root,) = [span for span in collector.named("queue_join") if span.attributes.get("game.ticket") == ticket]
            trace = {span.id: span for span in collector.spans if span.trace == root.trace}
            found = {span.name: span for span in trace.values() if span.parent == root.id}
            assert root.parent == ""
            assert not any(span.failed for span in trace.values())
            assert found.keys() == {"redis reserve", "redis enqueue", "wait", "match", "match_found"}
            assert (root.service, root.pid) == ("matchmaking-gateway", at.process.pid)
            assert (
                (found["match"].service, found["match"].pid) == ("matchmaking-matcher", started.pid) == (found["wait"].service, started.pid)
            )
            assert found["match_found"].pid == at.process.pid, "the player's own gateway"
            assert {found["match"].attributes["game.match"], found["match_found"].attributes["game.match"]} == matches
            assert root.began <= found["redis reserve"].began <= found["redis enqueue"].began < found["redis enqueue"].ended <= root.ended
            assert found["wait"].ended == found["match"].began < found["match"].ended
            assert root.attributes | {"game.pool": "duel", "game.mode": "ranked", "game.outcome": "joined"} == root.attributes
        first, second = sorted(collector.named("match"), key=lambda span: len(span.links))
        assert (first.links, second.links) == ((), (first.trace,))
        calls = {span.name: span for span in collector.spans if span.parent == first.id}
        assert calls.keys() >= {"redis commit", "redis deliver", "redis settle"}
        assert {span.pid for span in calls.values()} == {started.pid}


async def test_who_is_refused_has_a_trace_that_says_why_and_ids_are_hashed_as_in_logs(
    redis_url: str, tmp_path: Path, collector: TraceCollector
) -> None:
    async with gateway(redis_url, Signer(tmp_path), traces_url=collector.url, log_id_key="k") as served, served.player("alice") as alice:
        assert (await alice.join("nowhere"))["type"] == "error"
        joined = (await alice.join())["data"]["ticket_id"]
        assert (await alice.join(op_id="2"))["type"] == "error"
        await collector.until("all three came", lambda: len(collector.named("queue_join")) == 3)
    spans = {span.attributes["game.outcome"]: span for span in collector.named("queue_join")}
    assert spans.keys() == {"unknown_pool", "joined", "already_queued"}
    assert [spans[outcome].failed for outcome in ("unknown_pool", "joined", "already_queued")] == [True, False, True]
    assert spans["joined"].attributes["game.ticket"] == hashed(joined, "k")


async def test_only_the_share_that_is_asked_for_is_traced(
    redis_url: str, tmp_path: Path, store: RedisStore, collector: TraceCollector
) -> None:
    for ratio, traced in ((0.0, False), (1.0, True)):
        async with gateway(redis_url, Signer(tmp_path), traces_url=collector.url, traces_ratio=ratio) as served:
            name = f"alice-{ratio:g}"
            async with served.player(name) as alice:
                place = Place((await alice.join())["data"]["ticket_id"], "duel", "local", "ranked")
                ticket = record_decoder.decode(await store.record(place) or b"")
                assert bool(ticket.trace) == traced
                await alice.send("queue_leave", op_id="3")
                await alice.receive("queue_left")
    await collector.until("the second came", lambda: len(collector.named("queue_join")) == 1)


async def test_a_collector_that_is_away_holds_nobody_up(redis_url: str, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    async with (
        gateway(redis_url, Signer(tmp_path), traces_url=nowhere) as served,
        served.player("alice") as alice,
        served.player("bob") as bob,
        matcher(redis_url),
    ):
        await alice.join()
        await bob.join()
        assert (await alice.receive("match_found", 20))["data"]["opponent"] == "bob"
        await bob.receive("match_found", 20)


async def test_a_proposal_that_was_not_committed_is_told_too_and_ends_no_wait(store: RedisStore, collector: TraceCollector) -> None:
    rules = shipped_pool("duel")
    view = QueueView()
    for name in ("alice", "bob"):  # nobody of them waits in Redis
        view.add(Ticket(f"t-{name}", "local", "ranked", (TicketPlayer(name),), time.time(), trace=TRACEPARENT if name == "bob" else ""))
    now = time.time()
    traces = Traces("matcher", collector.url)
    matches = find_matches(view, rules, now, random).matches
    tally = await commit_all(store, "duel", "m-1", matches, rules, now, traces)
    assert (len(matches), tally.matches, tally.conflicts) == (1, 0, 1)
    traces.hand_in()
    await asyncio.to_thread(traces.close)
    (span,) = collector.spans
    assert (span.name, span.trace, span.parent) == ("match", TRACEPARENT.split("-")[1], TRACEPARENT.split("-")[2])
    assert (span.attributes["game.outcome"], span.attributes["game.ticket"], span.failed) == ("conflict", "t-bob", True)


def test_off_nothing_is_loaded() -> None:
    assert open_traces("gateway", "") is NO_TRACES
    code = (
        "import sys, matchmaking.cli, matchmaking.gateway.main, matchmaking.matcher.main\n"
        f"from matchmaking.telemetry.traces import open_traces\nopen_traces('gateway', '').open(); {LOADED}"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_record_that_was_written_before_traces_is_still_read() -> None:
    before = msgspec.msgpack.encode(["t", "local", "ranked", [["alice"]], 1.0, 0.0, None])
    assert record_decoder.decode(before) == Ticket("t", "local", "ranked", (TicketPlayer("alice"),), 1.0)


async def test_a_matcher_that_meets_no_traced_ticket_loads_nothing(redis_url: str, tmp_path: Path) -> None:
    async with gateway(redis_url, Signer(tmp_path)) as served, served.player("alice") as alice, served.player("bob") as bob:
        await alice.join()
        await bob.join()
        code = f"import sys\nfrom matchmaking.matcher.main import main\nmain('duel', 'local')\n{LOADED}"
        environment = {**os.environ, "MATCHMAKING_REDIS_URL": redis_url, "MATCHMAKING_TRACES_URL": f"http://127.0.0.1:{free_port()}"}
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env=environment, stdout=subprocess.PIPE)
        await alice.receive("match_found", 30)
        process.terminate()
        out, _ = await process.communicate()
        assert (process.returncode, out.decode().strip()) == (0, "[]")


def test_an_address_that_is_none_and_libraries_that_are_not_there_are_said_plainly() -> None:
    assert traces_endpoint("http://collector:4318") == traces_endpoint("http://collector:4318/") == "http://collector:4318/v1/traces"
    assert traces_endpoint("https://traces.example/otlp/v1/traces") == "https://traces.example/otlp/v1/traces"
    with pytest.raises(TracesError, match="must be like http://collector:4318/v1/traces"):
        open_traces("gateway", "collector:4318")
    check_available()
    code = "import sys; sys.modules['opentelemetry'] = None; from matchmaking.cli import main; sys.exit(main(['matcher', '--pool', 'p', '--region', 'r']))"
    environment = {**os.environ, "MATCHMAKING_TRACES_URL": "http://127.0.0.1:1"}
    refused = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "pip install 'game-session-manager[traces]'" in refused.stderr
    assert "Traceback" not in refused.stderr
