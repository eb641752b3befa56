"""Players who are connected already and do nothing but duel: join, be matched, join again. A process of a `Swarm`, as light as a client can be.

The model is open: joins come at the times of a Poisson process, whether or not others were matched, and a join is late from the moment on that it was due, not from
the moment on that this process came to send it. A join for which no player is free is counted, not sent.
"""

import asyncio
import sys
import time
from collections import Counter, deque
from random import Random
from typing import Any

import uvloop

from deployment import raise_file_limit
from swarm import Player, Players, serve

STEP = 0.001  # s between looks at what is due
FOUND = b'{"type":"match_found"'
ERROR = b'{"type":"error"'
JOIN = b'{"type":"queue_join","data":{"pool":"duel","region":"local","mode":"ranked","op_id":"%d"}}'


class Duellist(Player):
    """A player; `due` is when the join under way was due."""

    due = 0.0

    def on_text(self, text: bytes) -> None:
        """A match frees the player."""
        assert isinstance(self._swarm, Duellists)
        if text.startswith(FOUND):
            self._swarm.found(self)
        elif text.startswith(ERROR):
            self._swarm.errors[text[:120].decode()] += 1
            self._swarm.free.append(self)
        else:
            self._swarm.heard[text[9:21]] += 1
            super().on_text(text)


class Duellists(Players):
    """All of one process."""

    player = Duellist

    def __init__(self) -> None:
        super().__init__()
        self.free: deque[Duellist] = deque()
        self.waits: list[float] = []
        self.errors: Counter[str] = Counter()
        self.heard: Counter[bytes] = Counter()
        self._counting_from = 0.0
        self._operations = 0

    def found(self, player: Duellist) -> None:
        """A match."""
        self.heard[FOUND[9:21]] += 1
        if player.due >= self._counting_from:
            self.waits.append(time.perf_counter() - player.due)
        self.free.append(player)

    async def duel(self, rate: float, seconds: float, warm_up: float, seed: int) -> dict[str, Any]:
        """Join at that rate; what came of the joins that were due after the warm-up. `waits` in seconds."""
        random, skipped, self.waits = Random(seed), 0, []
        self.free = deque(player for player in self.players.values() if isinstance(player, Duellist))
        self.errors.clear()
        self.heard.clear()
        began = due = time.perf_counter()
        self._counting_from, end, joins = began + warm_up, began + warm_up + seconds, 0
        while due < end:
            await asyncio.sleep(STEP)
            now = time.perf_counter()
            while due <= now and due < end:
                if self.free:
                    self._join(self.free.popleft(), due)
                    joins += due >= self._counting_from
                else:
                    skipped += 1
                due += random.expovariate(rate)
        await asyncio.sleep(2.0)  # the last ones' matches
        heard = {kind.decode(): count for kind, count in self.heard.items()}
        return {"waits": self.waits, "joins": joins, "skipped": skipped, "errors": dict(self.errors), "heard": heard}

    def _join(self, player: Duellist, due: float) -> None:
        player.due = due
        self._operations += 1
        if player.wire is not None:
            player.wire.send(JOIN % self._operations)


if __name__ == "__main__":
    raise_file_limit()
    sys.setswitchinterval(1)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Duellists()))
