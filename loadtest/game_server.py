"""A small game server: what a real one would do, without a game. It knows nothing of the project but its HTTP API.

    MATCHMAKING_TOKEN=$(matchmaking token game-server --scope server) python loadtest/game_server.py --gateway http://127.0.0.1:8080 --secret-file FILE

It answers the allocation webhook at `http://127.0.0.1:<port>/allocate` (the signature is checked), and for each match that it is given it plays: it posts a state a few
times, with a score that goes up at random, and then the result. The same match asked for twice is played once. It ends on SIGTERM. Only the standard
library and httpx are used.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import httpx

OLDEST = 60.0  # s; an older signature is a replay
HEAD, BODY = 16 * 1024, 64 * 1024  # bytes of a request at most
AGAIN = (0.2, 0.5, 1.0, 2.0, 5.0)  # s before a report is repeated that did not get through


class GameServer:
    """Plays the matches that it is given."""

    def __init__(self, api: httpx.AsyncClient, secret: bytes, port: int, states: int, pace: float) -> None:
        self._api, self._secret, self._port, self._states, self._pace = api, secret, port, states, pace
        self._matches: dict[str, asyncio.Task[None]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                length = int(headers.get("content-length", 0))
                status, answer = (413, {}) if length > BODY else self._allocate(head[0], headers, await reader.readexactly(length))
                text = json.dumps(answer).encode()
                writer.write(
                    f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text
                )
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass
        finally:
            writer.close()

    def _allocate(self, line: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        if not line.startswith("POST /allocate "):
            return 404, {}
        sent = headers.get("x-matchmaking-timestamp", "")
        expected = "sha256=" + hmac.new(self._secret, sent.encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, headers.get("x-matchmaking-signature", "")) or abs(time.time() - float(sent)) > OLDEST:
            return 401, {}
        match = json.loads(body)
        if match["match_id"] not in self._matches:
            self._matches[match["match_id"]] = asyncio.create_task(self._play(match))
        return 200, {"connection": {"address": "127.0.0.1", "port": self._port, "token": match["match_id"][:8]}}

    async def _play(self, match: dict[str, Any]) -> None:
        teams = [team["name"] for team in match["teams"]]
        score = dict.fromkeys(teams, 0)
        for turn in range(self._states):
            await asyncio.sleep(self._pace)
            if turn:
                score[random.choice(teams)] += 1
            if not await self._report(match["match_id"], "state", {"state": {"score": score, "round": turn, "of": self._states - 1}}):
                return  # it was cancelled
        await asyncio.sleep(self._pace)
        order = sorted(set(score.values()), reverse=True)
        await self._report(match["match_id"], "result", {"ranks": {team: order.index(points) + 1 for team, points in score.items()}})

    async def _report(self, match: str, what: str, body: dict[str, Any]) -> bool:
        """Whether the session took it; repeated until it is known."""
        for pause in (*AGAIN, None):
            try:
                answer = await self._api.post(f"/api/v1/sessions/{match}/{what}", json=body)
                if answer.status_code not in (409, 429, 503) or answer.json()["error"]["code"] == "session_over":
                    if answer.status_code != 200:
                        print(f"{match} {what}: {answer.status_code} {answer.text[:200]}", file=sys.stderr, flush=True)
                    return answer.status_code == 200
            except (httpx.HTTPError, ValueError, KeyError) as error:
                print(f"{match} {what}: {type(error).__name__}", file=sys.stderr, flush=True)
            if pause is not None:
                await asyncio.sleep(pause)
        return False


async def main(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    headers = {"Authorization": f"Bearer {os.environ['MATCHMAKING_TOKEN']}"}
    async with httpx.AsyncClient(base_url=arguments.gateway, headers=headers, timeout=5, trust_env=False) as api:
        server = GameServer(api, arguments.secret_file.read_bytes().strip(), arguments.port, arguments.states, arguments.pace)
        listener = await asyncio.start_server(server.serve, "127.0.0.1", arguments.port, limit=HEAD)
        print(f"allocates at http://127.0.0.1:{arguments.port}/allocate", flush=True)
        await stop.wait()
        listener.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--gateway", required=True, help="the gateway's address")
    parser.add_argument("--port", type=int, default=8090, help="where to answer the webhook (default 8090)")
    parser.add_argument("--secret-file", type=Path, required=True, help="the secret that the gateway signs with")
    parser.add_argument("--states", type=int, default=5, help="states of a match (default 5)")
    parser.add_argument("--pace", type=float, default=2.0, help="seconds between them (default 2)")
    asyncio.run(main(parser.parse_args()))
