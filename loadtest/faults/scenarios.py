"""The faults, each a function that breaks something under load and mends it again; what it returns is how often it did.

The load goes on meanwhile. A larger `scale` means more faults, not other ones. All that is chosen is chosen by the system's seeded `random`.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from .players import Habits
from .system import System

Act = Callable[[System, float], Awaitable[int]]


class Scenario(Struct, frozen=True):
    """A fault, and the load under which it comes.

    Attributes:
        rolled_back: the store loses acknowledged writes: tickets may go, but never silently.
        rate: tickets per second.
    """

    act: Act
    rolled_back: bool = False
    habits: Habits = Habits()
    players: int = 120
    rate: float = 60.0
    gateways: int = 2
    matchers: int = 2
    redis_options: Sequence[str] = ()


def times(many: float, scale: float) -> range:
    """So many times, at this scale."""
    return range(max(1, round(many * scale)))


async def pause(system: System, low: float, high: float) -> None:
    """Between two faults."""
    await asyncio.sleep(system.random.uniform(low, high))


# --- matchers --------------------------------------------------------------------------------------------------------------


async def matcher_kills(system: System, scale: float) -> int:
    """SIGKILL at random moments."""
    count = 0
    for _ in times(12, scale):
        await pause(system, 0.2, 0.7)
        count += system.kill_matcher()
    return count


MATCHER_SCRIPTS = ("page", "beat", "commit", "session_write", "deliver", "settle", "count", "*")
WHEN = ("before", "sent", "after")


async def matcher_boundaries(system: System, scale: float) -> int:
    """A matcher dies before, in and after each script that it calls, at some call of it."""
    count = 0
    for _ in times(1, scale):
        places = [(name, when) for name in MATCHER_SCRIPTS for when in WHEN]
        system.random.shuffle(places)
        for name, when in places:
            calls = system.random.choice((1, 1, 2, 5)) if name != "page" else 1
            system.dies = f"{name}:{when}:{calls}"
            system.kill_matcher()
            for _ in range(100):
                await asyncio.sleep(0.05)
                if not system.dies:
                    break
            await pause(system, 0.3, 0.6)
            count += 1
    return count


async def matcher_stops(system: System, scale: float) -> int:
    """SIGSTOP, past the relay's patience and past a heartbeat's; others take over; then it goes on where it was."""
    count = 0
    for seconds in (2.5, 11.0) * len(times(1, scale)):
        alive = [process for process in system.matchers if process.poll() is None]
        if alive:
            stopped = system.random.choice(alive)
            stopped.send_signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            stopped.send_signal(signal.SIGCONT)
            count += 1
        await pause(system, 0.3, 1.0)
    return count


async def many_matchers(system: System, scale: float) -> int:
    """None at all, then a crowd that proposes the same tickets, then none."""
    count = 0
    for _ in times(2, scale):
        system.want_matchers(0)
        await pause(system, 1.0, 2.0)
        system.want_matchers(6 if scale <= 1 else 50)
        await asyncio.sleep(3.0 if scale <= 1 else 20.0)
        count += 1
    system.want_matchers(2)
    return count


# --- gateways --------------------------------------------------------------------------------------------------------------


async def gateway_kills(system: System, scale: float) -> int:
    """SIGKILL; players come back on the other one, or on the next."""
    count = 0
    for _ in times(3, scale):
        await pause(system, 0.3, 1.5)
        await system.random.choice(system.gateways).restart()
        count += 1
    return count


GATEWAY_SCRIPTS = ("take_over", "reserve", "enqueue", "holding", "cancel", "release", "deliver", "outbox")


async def gateway_boundaries(system: System, scale: float) -> int:
    """A gateway dies at a script that it calls."""
    count = 0
    for _ in times(1, scale):
        places = [(name, system.random.choice(WHEN)) for name in GATEWAY_SCRIPTS]
        system.random.shuffle(places)
        for name, when in places[: max(2, round(8 * scale))]:
            gateway = system.gateways[0]
            gateway.kill()
            gateway.start(f"{name}:{when}:{system.random.choice((1, 2, 5))}")
            for _ in range(120):
                await asyncio.sleep(0.05)
                if gateway.process is not None and gateway.process.poll() is not None:
                    count += 1
                    break
    await system.gateways[0].restart()
    return count


async def gateway_drains(system: System, scale: float) -> int:
    """SIGTERM under load: everybody is told to go elsewhere."""
    count = 0
    for _ in times(2, scale):
        await pause(system, 0.3, 1.0)
        gateway = system.random.choice(system.gateways)
        assert gateway.process is not None
        gateway.process.terminate()
        await asyncio.to_thread(gateway.process.wait, 60)
        gateway.start()
        await gateway.ready()
        count += 1
    return count


async def two_gateways(_: System, scale: float) -> int:
    """The same players on two gateways at once, all the time: see the habits."""
    await asyncio.sleep(6.0 * scale)
    return 1


async def mass_reconnect(system: System, scale: float) -> int:
    """All connections are lost at once."""
    count = 0
    for _ in times(3, scale):
        await pause(system, 1.0, 2.0)
        for each in system.players:
            each.say("cut")
        count += 1
    return count


# --- Redis -----------------------------------------------------------------------------------------------------------------


async def redis_kills(system: System, scale: float) -> int:
    """SIGKILL; what it acknowledged it has written down."""
    count = 0
    for _ in times(3, scale):
        await pause(system, 1.0, 2.0)
        system.redis.kill()
        await pause(system, 0.0, 1.0)
        await system.redis.start()
        count += 1
    await asyncio.sleep(1.0)
    return count


async def redis_stops(system: System, scale: float) -> int:
    """SIGSTOP: connections stay, answers do not come. Beyond 5 s a call is given up and repeated, though it may have been carried out."""
    count = 0
    for longest in ((2.0, 7.0) if scale <= 1 else (2.0, 7.0, 15.0, 30.0)) * len(times(1, scale)):
        await pause(system, 0.5, 1.0)
        system.redis.signal(signal.SIGSTOP)
        await pause(system, longest / 2, longest)
        system.redis.signal(signal.SIGCONT)
        count += 1
    await asyncio.sleep(1.0)
    return count


async def client_pause(system: System, scale: float) -> int:
    """Redis holds back writes, or everything, for a while."""
    count = 0
    for _ in times(2, scale):
        await pause(system, 0.5, 1.0)
        milliseconds = system.random.choice((500, 1500, 3000))
        await asyncio.to_thread(system.redis.client.client_pause, milliseconds, system.random.random() < 0.5)
        await asyncio.sleep(milliseconds / 1000)
        count += 1
    return count


async def client_kill(system: System, scale: float) -> int:
    """Redis drops connections of all kinds, again and again."""
    count = 0
    for _ in times(10, scale):
        await pause(system, 0.2, 0.6)
        kind = system.random.choice(("normal", "pubsub"))
        count += await asyncio.to_thread(system.redis.client.execute_command, "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    return count


async def tail_cut(system: System, scale: float) -> int:
    """SIGKILL, and the end of the append-only file is gone: acknowledged writes are lost, as in a failover."""
    from . import aof

    count = 0
    for _ in times(2, scale):
        await pause(system, 1.5, 2.5)
        system.redis.kill()
        file = aof.files(system.redis.folder)[-1]
        size = file.stat().st_size
        with file.open("r+b") as stream:
            stream.truncate(size - min(size // 4, system.random.randrange(2_000, 60_000)))
        await system.redis.start()
        system.declare_pool()
        count += 1
    await asyncio.sleep(5.0)  # for everybody to be told
    return count


async def all_at_once(system: System, scale: float) -> int:
    """Matchers, gateways and Redis are killed in the same half minute: ten, one and two times."""
    count = 0

    async def matchers() -> None:
        nonlocal count
        for _ in range(10):
            await pause(system, 0.5, 1.3)
            while not system.kill_matcher():
                await asyncio.sleep(0.05)
            count += 1

    async def others() -> None:
        nonlocal count
        for _ in range(2):
            await redis_kills(system, 0.1)
            count += 1
        await system.random.choice(system.gateways).restart()
        count += 1

    for _ in times(1, scale):
        await asyncio.gather(matchers(), others())
    return count


LEAVERS = Habits(leaves=0.9, leaves_within=0.04)
SCENARIOS: dict[str, Scenario] = {
    "matcher-kills": Scenario(matcher_kills),
    "matcher-boundaries": Scenario(matcher_boundaries),
    "matcher-stops": Scenario(matcher_stops),
    "many-matchers": Scenario(many_matchers, habits=Habits(leaves=0.3, leaves_within=0.2), rate=100.0),
    "gateway-kills": Scenario(gateway_kills, habits=Habits(repeats=0.3)),
    "gateway-boundaries": Scenario(gateway_boundaries, habits=Habits(leaves=0.4, cuts=0.2)),
    "gateway-drains": Scenario(gateway_drains),
    "two-gateways": Scenario(two_gateways, habits=Habits(doubles=0.5, cuts=0.1)),
    "mass-reconnect": Scenario(mass_reconnect, players=200),
    "cancel-against-commit": Scenario(two_gateways, habits=LEAVERS, rate=150.0),
    "redis-kills": Scenario(redis_kills),
    "redis-stops": Scenario(redis_stops),
    "client-pause": Scenario(client_pause),
    "client-kill": Scenario(client_kill),
    "tail-cut": Scenario(tail_cut, rolled_back=True),
    "all-at-once": Scenario(all_at_once, rate=150.0, players=200),
}
