"""Players who write down everything: a process of them, over the bare wire, because what is to be checked includes what a client library smooths over.

    python -m faults.players < plan      the plan (one line of JSON), then `stop` on a line of its own

Each player joins a queue, waits for the ticket's end, and begins again. By chance it leaves at once, loses its connection, repeats an operation that is done, or connects
a second time elsewhere and goes on asking for things on the first connection. What is not answered is asked again under the same operation id, for as long
as it takes. After `stop` each still sees its ticket to the end. The last line on standard output says what could not be ended.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

import msgspec
import uvloop
from msgspec import Struct

from deployment import raise_file_limit
from wire import HEARTBEAT, Wire, open_wire, upgrade

from .history import CLOSED, ENDS, OPENING, SENT, Entry, line

ANSWER_WITHIN = 4.0  # s; then the same operation is sent again
ATTEMPT_WITHIN = 6.0  # s
BEAT_EVERY = 3.0  # s
SILENT = 12.0  # s; a socket on which nothing comes for so long is given up
UNRECORDED = {"queue_update", "heartbeat_ack", "announcement", "reconnect"}
AGAIN = {"unavailable", "busy", "rate_limited", "already_matched", "already_queued", "in_session", "try_again_later", "cooldown"}


class Habits(Struct, frozen=True):
    """How often a player does what, per ticket, from 0 to 1."""

    leaves: float = 0.1
    cuts: float = 0.03
    repeats: float = 0.1
    doubles: float = 0.02
    acknowledges: float = 0.5
    patience: float = 3.0  # s; who waits longer leaves
    leaves_within: float = 0.05  # s after the join


class Plan(Struct, frozen=True):
    """What a process of players is to do; `rate`: tickets per second of all of them, `give_up`: seconds after `stop`."""

    file: str
    ports: list[int]
    tokens: dict[str, str]
    seed: int
    rate: float
    queue: tuple[str, str, str]
    habits: Habits = Habits()
    give_up: float = 60.0


class _Frame(Struct):
    type: str
    data: Any = None
    seq: int | None = None


_decoder = msgspec.json.Decoder(_Frame)
_encoder = msgspec.json.Encoder()


class Socket:
    """One of a player's sockets."""

    def __init__(self, player: "Player", number: int) -> None:
        self.player, self.number = player, number
        self.wire: Wire | None = None
        self.heard_at = time.monotonic()
        self.greeted = asyncio.get_running_loop().create_future()

    async def open(self, port: int) -> None:
        """Connect, and wait for the hello."""
        player = self.player
        player.record(self, OPENING, player.position)
        offered = ("gsm.v1", player.position) if player.position else ("gsm.v1",)
        try:
            async with asyncio.timeout(ATTEMPT_WITHIN):
                self.wire = await open_wire(port, upgrade(port, f"/ws/{player.name}", player.token, *offered), self.heard)
                self.wire.closed.add_done_callback(self._closed)
                await self.greeted
        except BaseException:
            if self.wire is not None:
                self.wire.abort()
            raise

    def heard(self, text: bytes) -> None:
        """Write a message down, and tell the player."""
        self.heard_at = time.monotonic()
        if not text.startswith(b"{"):
            return  # a ping, which the bare wire hands over like a message
        frame = _decoder.decode(text)
        if frame.type not in UNRECORDED:
            self.player.record(self, frame.type, frame.data, frame.seq)
            self.player.heard(self, frame)
            if frame.type == "hello" and not self.greeted.done():
                self.greeted.set_result(None)

    def send(self, type_: str, **data: Any) -> None:
        """Send a message, and write it down before."""
        if self.alive and self.wire is not None:
            message = {"type": type_, "data": data}
            self.player.record(self, SENT, message)
            self.wire.send(_encoder.encode(message))

    @property
    def alive(self) -> bool:
        """Whether it is open."""
        return self.wire is not None and not self.wire.closed.done()

    def _closed(self, closed: "asyncio.Future[int]") -> None:
        self.player.record(self, CLOSED, closed.result())
        if not self.greeted.done():
            self.greeted.set_exception(ConnectionError(f"closed with {closed.result()}"))
        self.player.changed.set()


class Player:
    """One player."""

    def __init__(self, crowd: "Crowd", name: str, token: str, random: Random) -> None:
        self.crowd, self.name, self.token, self.random = crowd, name, token, random
        self.position, self.epoch, self.seq = "", "", 0
        self.resume_token = ""
        self.socket: Socket | None = None
        self.sockets = self.operations = 0
        self.changed = asyncio.Event()
        self.answers: dict[str, tuple[str, Any]] = {}
        self.over: set[str] = set()
        self.ticket = ""
        self.waits_for = ""

    def record(self, socket: Socket, what: str, data: Any = None, seq: int | None = None) -> None:
        """Write a line."""
        self.crowd.out.write(line(Entry(time.time(), self.name, socket.number, what, data, seq)))

    def heard(self, socket: Socket, frame: _Frame) -> None:
        """What a message means to the player; those that only a replaced socket could tell are on record all the same."""
        data = frame.data
        if frame.type == "hello":
            if self.socket is None or socket.number >= self.socket.number:
                self.socket = socket
            self.epoch, self.seq, self.resume_token = data["epoch"], data["seq"], data["resume_token"]
        elif frame.seq is not None:
            self.seq = frame.seq
        if frame.type == "snapshot":
            held = (data.get("ticket") or {}).get("ticket_id")
            if self.ticket and held != self.ticket:
                self.over.add(self.ticket)
            if data.get("match"):
                self.over.add(data["match"]["ticket_id"])  # perhaps of a join whose answer is still to come
        elif frame.type in ("queue_joined", "error"):
            self.answers[data.get("op_id", "")] = (frame.type, data)
        elif frame.type in ENDS:
            self.over.add(data["ticket_id"])
            if data.get("op_id"):
                self.answers[data["op_id"]] = (frame.type, data)
        self.position = f"resume.{self.epoch}.{self.seq}.{self.resume_token}"
        self.changed.set()

    async def until(self, done: Callable[[], Any], within: float) -> bool:
        """Wait until something is so; False if it does not become so in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not done():
                    self.changed.clear()
                    await self.changed.wait()
        return bool(done())

    # --- what a player does ------------------------------------------------------------------------------------------------

    async def connected(self) -> Socket:
        """A live socket."""
        attempt = 0
        while self.socket is None or not self.socket.alive:
            await self.connect()
            if self.socket is None or not self.socket.alive:
                attempt += 1
                await asyncio.sleep(self.random.uniform(0.05, min(2.0, 0.2 * 2**attempt)))
        return self.socket

    async def connect(self) -> None:
        """One attempt, on any gateway."""
        self.sockets += 1
        with suppress(OSError, TimeoutError):
            async with self.crowd.slots:
                await Socket(self, self.sockets).open(self.random.choice(self.crowd.plan.ports))

    async def ask(self, type_: str, operation: str, **data: Any) -> tuple[str, Any]:
        """Ask until there is an answer that means something: the same operation each time."""
        while True:
            socket = await self.connected()
            self.answers.pop(operation, None)
            socket.send(type_, op_id=operation, **data)
            if not await self.until(lambda socket=socket: operation in self.answers or not socket.alive, ANSWER_WITHIN):
                continue
            answer = self.answers.get(operation)
            if answer is None:
                continue
            if (
                answer[0] == "error"
                and answer[1]["code"] in AGAIN
                and not (type_ == "queue_leave" and answer[1]["code"] == "already_matched")
            ):
                await asyncio.sleep(max(0.2, min(2.0, answer[1].get("retry_after") or 0.2)) * self.random.uniform(0.5, 1.0))
                continue
            return answer

    async def play(self) -> None:
        """One ticket, from the join to its end."""
        habits, random = self.crowd.plan.habits, self.random
        pool, region, mode = self.crowd.plan.queue
        operation = self.new_operation()
        self.waits_for = operation
        if random.random() < habits.cuts:
            asyncio.get_running_loop().call_later(random.uniform(0, 0.3), self.cut)
        kind, data = await self.ask("queue_join", operation, pool=pool, region=region, mode=mode)
        if kind != "queue_joined":
            raise RuntimeError(f"{self.name}: {operation} was answered by {data}")
        self.ticket = ticket = self.waits_for = data["ticket_id"]
        self.crowd.count += 1
        if random.random() < habits.doubles:
            await self.double()
        if random.random() < habits.leaves:
            await asyncio.sleep(random.uniform(0, habits.leaves_within))
            await self.leave()
        while not await self.until(lambda: ticket in self.over or self.dead, habits.patience):
            await self.leave()
        while ticket not in self.over:  # the connection was lost, and what became of the ticket comes with the next one
            await self.connected()
            if not await self.until(lambda: ticket in self.over or self.dead, habits.patience):
                await self.leave()
        self.ticket = self.waits_for = ""
        if random.random() < habits.repeats:
            await self.ask("queue_join", operation, pool=pool, region=region, mode=mode)
        if random.random() < habits.acknowledges and self.socket is not None:
            self.socket.send("ack", seq=self.seq)

    @property
    def dead(self) -> bool:
        """Whether there is no live socket."""
        return self.socket is None or not self.socket.alive

    async def leave(self) -> None:
        """Leave the queue; whatever the answer, the ticket's end is told otherwise."""
        await self.ask("queue_leave", self.new_operation())

    def cut(self) -> None:
        """Lose the connection without a word."""
        if self.socket is not None and self.socket.wire is not None:
            self.socket.wire.abort()

    async def double(self) -> None:
        """Connect once more, and ask for something on the connection before."""
        before = await self.connected()
        await self.connect()
        pool, region, mode = self.crowd.plan.queue
        if self.socket is not before:
            for type_ in self.random.sample(["queue_join", "queue_leave"], 2):
                before.send(
                    type_, op_id=self.new_operation(), **({"pool": pool, "region": region, "mode": mode} if type_ == "queue_join" else {})
                )

    def new_operation(self) -> str:
        """An operation id that this player never used."""
        self.operations += 1
        return f"{self.name}-{self.operations}"


class Crowd:
    """All players of this process."""

    def __init__(self, plan: Plan, out: BinaryIO) -> None:
        self.plan, self.out = plan, out
        self.slots = asyncio.Semaphore(50)
        self.count = 0
        self.stopping = asyncio.Event()
        self.failures: list[str] = []
        random = Random(plan.seed)
        self.players = [Player(self, name, token, Random(random.getrandbits(64))) for name, token in plan.tokens.items()]

    async def run(self) -> None:
        """Play until told to stop, then see each ticket to its end."""
        tasks = [asyncio.ensure_future(self.live(player)) for player in self.players]
        beats = asyncio.ensure_future(self.beat())
        await self.stopping.wait()
        await asyncio.wait(tasks, timeout=self.plan.give_up)
        for task in tasks:
            task.cancel()
        beats.cancel()
        await asyncio.gather(*tasks, beats, return_exceptions=True)

    async def live(self, player: Player) -> None:
        """A player's tickets, evenly spread."""
        pause = len(self.players) / self.plan.rate
        await asyncio.sleep(player.random.uniform(0, pause))
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                await player.play()
            except (RuntimeError, KeyError, msgspec.MsgspecError) as error:
                self.failures.append(f"{player.name}: {error!r}")
                return
            rest = pause * player.random.uniform(0.5, 1.5) - (time.monotonic() - began)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, rest)):
                    await self.stopping.wait()

    async def beat(self) -> None:
        """Heartbeats; and whoever hears nothing any more gives its socket up."""
        while True:
            await asyncio.sleep(BEAT_EVERY)
            self.out.flush()
            for player in self.players:
                socket = player.socket
                if socket is not None and socket.wire is not None and socket.alive:
                    if time.monotonic() - socket.heard_at > SILENT:
                        socket.wire.abort()
                    socket.wire.send(HEARTBEAT)

    def figures(self) -> dict[str, Any]:
        """For the driver."""
        unended = {player.name: player.waits_for for player in self.players if player.waits_for}
        return {"tickets": self.count, "unended": unended, "failures": self.failures}


async def main() -> None:
    """Do what standard input says."""
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    plan = msgspec.json.decode(await reader.readline(), type=Plan)
    with Path(plan.file).open("wb") as out:  # noqa: ASYNC230 - before anything runs
        crowd = Crowd(plan, out)
        running = asyncio.ensure_future(crowd.run())
        while word := (await reader.readline()).strip():
            if word == b"stop":
                break
            if word == b"cut":
                for player in crowd.players:
                    player.cut()
        crowd.stopping.set()
        await running
    sys.stdout.write(msgspec.json.encode(crowd.figures()).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
