"""Duels for Locust (https://locust.io), for load from many machines: its own web page, workers and ramps.

    python -m venv .venv-locust && .venv-locust/bin/pip install -r loadtest/requirements-locust.txt
    MATCHMAKING_SIGNING_KEY_FILE=… .venv-locust/bin/locust -f loadtest/locustfile.py --host https://play.example --master        (and --worker elsewhere)

A user connects, queues for a duel, waits for the match, and queues again. Locust counts `queue_joined` and `match_found` as requests, each from the moment at
which the user wished for a match: a closed model, as who waits does not come again meanwhile. For an open model see `players`. Locust runs users on gevent,
where the asyncio client cannot live; so these speak the protocol by the blocking client of `websockets`. Tokens are signed as `matchmaking token` does it, or
read from the file that LOADTEST_TOKENS names (a player and a token in each line).
"""

import os
import secrets
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
from locust import User, constant_pacing, events, task
from locust.exception import StopUser
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from matchmaking.client.opening import socket_url
from matchmaking.local.keys import issue_token
from matchmaking.protocol.messages import SUBPROTOCOL

POOL, REGION, MODE = (
    os.environ.get(f"LOADTEST_{what}", default) for what, default in (("POOL", "duel"), ("REGION", "local"), ("MODE", "ranked"))
)
LONGEST_WAIT = 120.0  # s for a match, after which the user gives up and leaves
TOKENS = (
    dict(line.split() for line in Path(os.environ["LOADTEST_TOKENS"]).read_text().splitlines() if line.strip())
    if "LOADTEST_TOKENS" in os.environ
    else {}
)


class RefusedError(Exception):
    """The service said no."""


class DuelPlayer(User):
    """One player."""

    wait_time = constant_pacing(1.0)  # s between two wishes for a match, at least

    def on_start(self) -> None:
        """Sign in and connect."""
        self.stack = ExitStack()
        self.player, token = TOKENS.popitem() if TOKENS else (f"locust-{secrets.token_hex(6)}", "")
        began = time.perf_counter()
        try:
            opening = connect(
                socket_url(self.host, self.player),
                subprotocols=[SUBPROTOCOL],
                additional_headers={"Authorization": f"Bearer {token or issue_token(self.player)}"},
                compression=None,
                ping_interval=None,
                proxy=None,
            )
            self.socket: ClientConnection = self.stack.enter_context(opening)
            hello = self._receive(10.0)
            self.interval = float(hello["data"]["heartbeat_interval"])
            self._tell("hello", began)
        except (OSError, InvalidHandshake, ConnectionClosed, TimeoutError, RefusedError) as error:
            self._tell("hello", began, error)
            raise StopUser from error

    def on_stop(self) -> None:
        """Disconnect."""
        self.stack.close()

    @task
    def duel(self) -> None:
        """Queue, and wait for the match."""
        began, ticket, waiting_for = time.perf_counter(), "", "queue_joined"
        try:
            self._send("queue_join", {"pool": POOL, "region": REGION, "mode": MODE, "op_id": secrets.token_hex(8)})
            while time.perf_counter() - began < LONGEST_WAIT:
                message = self._receive(self.interval)
                if message is None:
                    self._send("heartbeat", {})
                    continue
                kind, data = message["type"], message["data"]
                if kind == "queue_joined":
                    ticket, waiting_for = data["ticket_id"], "match_found"
                    self._tell(kind, began)
                elif kind in ("match_found", "queue_left") and data["ticket_id"] == ticket:
                    self._send("ack", {"seq": message["seq"]})
                    self._tell("match_found", began, None if kind == "match_found" else RefusedError(data["reason"]))
                    return
                elif kind == "error":
                    raise RefusedError(data["code"])
            self._send("queue_leave", {"op_id": secrets.token_hex(8)})
            self._tell(waiting_for, began, TimeoutError(f"no match within {LONGEST_WAIT:g} s"))
        except RefusedError as error:
            self._tell(waiting_for, began, error)
        except ConnectionClosed as error:
            self._tell(waiting_for, began, error)
            raise StopUser from error

    def _send(self, kind: str, data: dict[str, Any]) -> None:
        self.socket.send(msgspec.json.encode({"type": kind, "data": data}).decode())

    def _receive(self, within: float) -> Any:
        """The next message; None if there was none in time."""
        try:
            return msgspec.json.decode(self.socket.recv(timeout=within))
        except TimeoutError:
            return None

    def _tell(self, name: str, began: float, error: Exception | None = None) -> None:
        waited = (time.perf_counter() - began) * 1000
        events.request.fire(request_type="WS", name=name, response_time=waited, response_length=0, exception=error, context={})
