"""`matchmaking dev` as a process: third-party clients get matched through real matcher processes, and nothing outlives it."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import websockets
from websockets.asyncio.client import ClientConnection

from local.dev_process import DevProcess, gone
from matchmaking.cli import parser
from matchmaking.client import Client, MatchFoundData
from support.redis_server import free_port


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    """One environment without bots, for all the tests that leave it as it was."""
    with DevProcess(tmp_path_factory.mktemp("dev"), "--bots", "0") as process:
        yield process


@asynccontextmanager
async def third_party(dev: DevProcess, player: str) -> AsyncIterator[ClientConnection]:
    """A plain WebSocket client that knows nothing of us."""
    headers = {"Authorization": f"Bearer {dev.token(player)}"}
    url = f"ws://127.0.0.1:{dev.port}/ws/{player}"
    async with websockets.connect(url, subprotocols=[websockets.Subprotocol("gsm.v1")], additional_headers=headers) as socket:
        yield socket


async def join(socket: ClientConnection, region: str = "local") -> None:
    data = {"pool": "duel", "region": region, "mode": "ranked", "op_id": "1"}
    await socket.send(json.dumps({"type": "queue_join", "data": data}))


async def receive(socket: ClientConnection, type_: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == type_:
                data: dict[str, Any] = message["data"]
                return data


async def test_two_third_party_clients_are_matched_and_other_services_hear_of_it(dev: DevProcess) -> None:
    with redis.Redis.from_url(dev.redis_url) as outside, outside.pubsub() as listener:
        listener.subscribe("player:alice:updates")
        async with third_party(dev, "alice") as alice, third_party(dev, "bob") as bob:
            await join(alice)
            assert (await receive(alice, "queue_joined"))["op_id"] == "1"
            assert (await receive(alice, "queue_update"))["position"] == 1
            assert outside.zcard("pool:{duel}:queue:local:ranked:waiting") == 1
            assert not any("matcher" in child.cmdline() for child in dev.children())
            await join(bob)
            found, other = await receive(alice, "match_found"), await receive(bob, "match_found")
        assert (found["opponent"], other["opponent"]) == ("bob", "alice")
        assert found["match_id"] == other["match_id"]
        assert found["timestamp"]
        assert any("matcher" in child.cmdline() for child in dev.children())
        heard = [message for _ in range(5) if (message := listener.get_message(timeout=1)) and message["type"] == "message"]
        published = json.loads(heard[0]["data"])
        assert published["channel"] == "player:alice:updates"
        assert published["message"]["type"] == "match_ready"


def get(url: str) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.status, response.read().decode()


@pytest.mark.parametrize(
    ("path", "has"),
    [
        ("/", "Game Session Manager"),
        ("/docs", "swagger"),
        ("/sdk/gsm.js", "class GameSession"),
        ("/demo/app.js", "signIn"),
        ("/readyz", "ok"),
    ],
)
def test_serves_the_page_the_api_and_the_browsers_client(dev: DevProcess, path: str, has: str) -> None:
    status, body = get(dev.url + path)
    assert status == 200
    assert has in body


def test_the_banner_tells_where_everything_is(dev: DevProcess) -> None:
    metrics = dev.words[dev.words.index("--metrics-port") + 1]
    for part in (f"{dev.url}/ ", f"{dev.url}/docs", f"http://127.0.0.1:{metrics}/metrics", "redis://127.0.0.1:", "matchmaking token"):
        assert part in dev.banner
    assert "game_websocket_connections" in get(f"http://127.0.0.1:{metrics}/metrics")[1]


def run_dev(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "matchmaking.cli", "dev", "--no-browser", *words],
        env=environment or None,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("option", ["--port", "--metrics-port"])
def test_a_taken_port_is_named_with_the_way_to_another_one(option: str) -> None:
    ports = {"--port": str(free_port()), "--metrics-port": str(free_port())}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(ports[option])))
        taken.listen()
        ended = run_dev(*(word for pair in ports.items() for word in pair))
    assert ended.returncode == 1
    assert f"port {ports[option]} on 127.0.0.1 is taken; choose another one with `{option} " in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("words", "what"), [(("--port", "0"), "1 to 65535"), (("--port", "x"), "1 to 65535"), (("--bots", "-1"), "0 or more")]
)
def test_nonsense_on_the_command_line_is_refused(words: tuple[str, ...], what: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser("dev").parse_args(["dev", *words])
    assert what in capsys.readouterr().err


def test_a_bad_pool_is_named_with_its_fault(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "apiVersion: gamesessions.dev/v1alpha1\nkind: MatchmakingPool\nmetadata: {name: x}\nspec: {regions: [], modes: [a], teams: []}\n"
    )
    ended = run_dev("--pool", str(bad))
    assert ended.returncode == 1
    assert f"{bad}: spec." in ended.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
async def test_no_process_is_left(tmp_path: Path, how: signal.Signals) -> None:
    with DevProcess(tmp_path, "--bots", "0") as dev:
        async with third_party(dev, "ann") as ann, third_party(dev, "ben") as ben:
            await join(ann)
            await join(ben)
            await receive(ann, "match_found")
        children = dev.children()
        assert {"redis-server", "matcher"} <= {word for child in children for word in (child.name(), *child.cmdline())}
        code = await asyncio.to_thread(dev.end, how)
    assert code == (0 if how == signal.SIGINT else -signal.SIGKILL)
    assert gone(children, 0.0 if how == signal.SIGINT else 3.0)


async def test_a_lone_visitor_finds_bots_in_a_duel_and_in_teams(tmp_path: Path) -> None:
    with DevProcess(tmp_path, "--bots", "2") as dev:
        async with Client.connect(dev.url, "visitor", token=dev.token("visitor")) as client:
            for pool, players in (("duel", 2), ("squads", 10)):
                await client.join(pool, "eu-west", "casual")
                async with asyncio.timeout(25):
                    found = await anext(event async for event in client.events() if isinstance(event, MatchFoundData))
                names = [player for team in found.teams for player in team.players]
                assert len(names) == players
                assert all(name == "visitor" or name.startswith("bot-") for name in names)
                assert found.waited >= 3.0
        with redis.Redis.from_url(dev.redis_url) as outside:
            async with asyncio.timeout(5):  # no bot stays behind
                while any(outside.zcard(key) for key in outside.keys("pool:*:waiting")):
                    await asyncio.sleep(0.1)


def test_redis_that_ends_by_itself_ends_everything(tmp_path: Path) -> None:
    with DevProcess(tmp_path, "--bots", "0") as dev:
        (server,) = [child for child in dev.children() if child.name() == "redis-server"]
        psutil.Process(server.pid).kill()
        assert dev.process is not None
        assert dev.process.wait(timeout=20) == 1
    assert "the embedded Redis ended by itself" in dev.log.read_text()
