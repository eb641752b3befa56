"""What players do. A scenario is a class: `prepare` before the run, `arrive` for every arrival, `told` when something happens to all, `incidents` is what happens.

An instance lives in each process of players, with its share of them; `incidents` runs once, in the process that started them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar, Protocol

from .crowd import Crowd, Player, Queue

PARTIES = ((1, 0.46), (2, 0.24), (3, 0.14), (4, 0.06), (5, 0.10))  # share of parties by size; duos and full fives are what friends make


class Stage(Protocol):
    """What `incidents` can do."""

    seconds: float

    async def at(self, share: float) -> None:
        """Wait until this share of the run is over."""

    async def tell(self, what: str) -> None:
        """Tell every process of players; their `told` is called."""

    async def announce(self) -> None:
        """An announcement to everybody who is connected, which says when it was sent."""

    async def stop_gateway(self, which: int) -> None:
        """SIGKILL one of our own gateways; of somebody else's deployment nothing."""

    async def start_gateway(self, which: int) -> None:
        """Have it back, at the same address."""


class Scenario:
    """The base: nobody does anything.

    Attributes:
        what: one line for people.
        rate: arrivals per second, unless told otherwise.
        players: connected beforehand, unless told otherwise.
        pools: what it needs of the deployment.
        gateways: how many of our own it wants.
    """

    name: ClassVar[str]
    what: ClassVar[str]
    rate: ClassVar[str] = "50..200"
    players: ClassVar[int] = 400
    pools: ClassVar[tuple[str, ...]] = ("duel",)
    gateways: ClassVar[int] = 1

    def __init__(self, crowd: Crowd, players: int) -> None:
        self.crowd, self.count = crowd, players

    async def prepare(self) -> None:
        """Connect who is there from the beginning."""
        for player in await self.crowd.gather(self.count):
            self.crowd.free(player)

    async def arrive(self, due: float) -> None:
        """One arrival, due at this moment of the loop's clock."""

    async def told(self, what: str) -> None:
        """Something happened."""

    @classmethod
    async def incidents(cls, stage: Stage) -> None:
        """What happens to everybody during the run."""

    async def _send(self, queue: Queue, due: float) -> None:
        player = await self.crowd.take()
        if player is not None:
            await player.queue(queue, due)


class DuelRush(Scenario):
    """Ever more duels."""

    name, what = "duel-rush", "one against one, at a rising rate; players come back as soon as they were matched"
    rate, players = "50..500", 1000

    async def arrive(self, due: float) -> None:
        await self._send(("duel", "local", "ranked"), due)


class SquadEvening(Scenario):
    """Five against five, alone and in parties, over an evening: few at first, a peak, and few again."""

    name, what = "squad-evening", "five against five with parties of one to five; few at first, a peak, few again; a rate counts parties"
    rate, players, pools = "10,30,60,40,15", 0, ("squads",)

    async def arrive(self, due: float) -> None:
        crowd = self.crowd
        size = crowd.random.choices([size for size, _ in PARTIES], [share for _, share in PARTIES])[0]
        queue = ("squads", "local", "ranked")
        if size == 1:
            await self._send(queue, due)
            return
        members = await crowd.take_several(size)
        if len(members) < size:
            crowd.ledger.count("party not gathered")
            return
        leader, *others = members
        for member in members:
            member.party = True
        party = await leader.client.create_party()
        for member in others:
            await member.client.join_party(party.invite or "")
        crowd.ledger.took("party gathered", crowd.now() - due)
        now = crowd.now()  # friends gather first; the wait counts from the leader's wish
        for member in others:
            member.due = now
        if not await leader.queue(queue, now):
            for member in others:
                member.free()


class RegionOutage(Scenario):
    """A third into the run, the gateway that one region's players are connected to dies; at two thirds it is back."""

    name, what = (
        "region-outage",
        "duels in two regions, each with its gateway; one gateway is killed at a third of the run and back at two thirds",
    )
    rate, players, gateways = "80", 800, 2
    regions = ("eu-west", "us-east")

    def __init__(self, crowd: Crowd, players: int) -> None:
        super().__init__(crowd, players)
        self.home = list(crowd.urls)
        self.out = False

    async def prepare(self) -> None:
        """Players of each region prefer their own gateway, and know the other."""
        for i, region in enumerate(self.regions):
            self.crowd.urls = self.home[i % len(self.home) :] + self.home[: i % len(self.home)]
            for player in await self.crowd.gather(self.count // 2):
                player.region = region
                self.crowd.free(player)

    async def arrive(self, due: float) -> None:
        player = await self.crowd.take()
        if player is None:
            return
        region = player.region or self.crowd.random.choice(self.regions)
        await player.queue(("duel", self.regions[1] if self.out else region, "ranked"), due)

    async def told(self, what: str) -> None:
        self.out = what == "outage"
        if self.out:
            for player in self.crowd.players:
                if player.region == self.regions[0]:
                    player.cut()

    @classmethod
    async def incidents(cls, stage: Stage) -> None:
        await stage.at(1 / 3)
        await stage.stop_gateway(0)
        await stage.tell("outage")
        await stage.at(2 / 3)
        await stage.start_gateway(0)
        await stage.tell("over")


class ReconnectStorm(Scenario):
    """All connections are lost at once, in the middle of the run and at three quarters; every client comes back by itself."""

    name, what = "reconnect-storm", "everybody loses the connection at once, twice, while duels go on; clients come back and resume"
    rate, players = "50", 4000

    async def arrive(self, due: float) -> None:
        await self._send(("duel", "local", "ranked"), due)

    async def told(self, what: str) -> None:
        if what == "cut":
            for player in self.crowd.players:
                player.cut()

    @classmethod
    async def incidents(cls, stage: Stage) -> None:
        for share in (0.4, 0.75):
            await stage.at(share)
            await stage.tell("cut")


class IdleCrowd(Scenario):
    """A crowd that does nothing but listen, and a few who play."""

    name, what = "idle-crowd", "a crowd that only listens to announcements, and some duels in its midst"
    rate, players = "20", 8000
    every = 5.0  # s between announcements

    async def prepare(self) -> None:
        await self.crowd.gather(self.count)  # never at hand

    async def arrive(self, due: float) -> None:
        await self._send(("duel", "local", "ranked"), due)

    @classmethod
    async def incidents(cls, stage: Stage) -> None:
        turns = max(1, int(stage.seconds / cls.every) - 1)
        for turn in range(1, turns + 1):
            await stage.at(turn * cls.every / stage.seconds)
            await stage.announce()


class FullLives(Scenario):
    """Whole lives: queue, match, ready check, game server, states, result."""

    name, what = (
        "full-lives",
        "whole lives of matches: queue, ready check, a game server, its states, the result; the pool must have an allocator",
    )
    rate, players, pools = "5..20", 400, ("arena",)

    async def prepare(self) -> None:
        await super().prepare()
        for player in self.crowd.players:
            player.lives = True

    async def arrive(self, due: float) -> None:
        player: Player | None = await self.crowd.take()
        if player is not None:
            player.lives = True
            await player.queue(("arena", "local", "ranked"), due)


SCENARIOS: dict[str, type[Scenario]] = {
    each.name: each for each in (DuelRush, SquadEvening, RegionOutage, ReconnectStorm, IdleCrowd, FullLives)
}


async def play(scenario: Scenario, arrivals: list[float], start: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Send every arrival off when it is due, whatever became of those before."""
    crowd = scenario.crowd
    for at in arrivals:
        due = start + at
        if (wait := due - crowd.now()) > 0:
            await sleep(wait)
        crowd.ledger.took("generator late", max(0.0, crowd.now() - due))
        crowd.spawn(scenario.arrive(due))
