"""Sessions, profiles and timers on Redis: one typed method for each script."""

from collections.abc import Sequence
from typing import Any

from matchmaking.core.session import Session
from matchmaking.core.session_effects import Effect, Rate
from matchmaking.store import keys
from matchmaking.store import session_values as values
from matchmaking.store.interface import OUTBOX_CAP
from matchmaking.store.session_interface import FORGIVE_MS, HISTORY, RECENT
from matchmaking.store.values import Place

from .base import RedisPart

SCAN = 1000  # keys looked at in one step


class RedisSessions(RedisPart):
    """See `session_interface.SessionStore`."""

    async def session_read(self, match: str) -> values.SessionRead:
        """See `session_read.lua`."""
        reply = await self._calls.call("session_read", [keys.session(match), keys.session_outbox(match)], match)
        _, _, now, revision, session, version, data, pending = reply
        return values.SessionRead(
            int(now) / 1000, revision, values.session_decoder.decode(session) if session else None, version, data, pending
        )

    async def session_write(self, session: Session, revision: int, effects: Sequence[Effect], keep: float, timestamp: str) -> int | None:
        """See `session_write.lua`."""
        data = values.session_encoder.encode(session)
        names, arguments = _write(session, data, revision, keep, timestamp)
        arguments += [values.session_encoder.encode(effect) for effect in effects]
        reply = await self._calls.call("session_write", names, *arguments)
        return int(reply[4]) if reply[2] == b"written" else None

    async def sessions_open(self, seeds: Sequence[tuple[Session, bytes, str]], keep: float) -> None:
        """One script for each match: each has a slot of its own."""
        await self._calls.call_all("session_write", (_write(session, data, 0, keep, at) for session, data, at in seeds))

    async def session_effects(self, match: str) -> list[values.PendingEffect]:
        """The stream's ids are the effects' numbers."""
        entries = await self._calls.command("XRANGE", keys.session_outbox(match), "-", "+")
        return [values.PendingEffect(int(entry.split(b"-")[0]), values.effect_decoder.decode(fields[b"e"])) for entry, fields in entries]

    async def session_settle(self, match: str, numbers: Sequence[int]) -> None:
        """Forget them."""
        await self._calls.command("XDEL", keys.session_outbox(match), *(f"{number}-0" for number in numbers))

    async def session_data(self, match: str) -> values.ServerState:
        """Fields of the session's hash."""
        version, data, mark = await self._calls.command("HMGET", keys.session(match), "version", "data", "request")
        return values.ServerState(int(version or 0), data or b"", (mark or b"").decode())

    async def session_state(self, match: str, data: bytes, version: int | None, timestamp: str, mark: str = "") -> values.StateWritten:
        """See `session_state.lua`; a state's mark is the request that wrote it."""
        expected = "" if version is None else version
        reply = await self._calls.call(
            "session_state", [keys.session(match)], match, data, expected, timestamp, keys.match_channel(match), mark
        )
        return values.StateWritten(reply[2].decode(), reply[3], reply[0].decode())

    async def session_deliver(
        self,
        player: str,
        event: str,
        match: str,
        ticket: str,
        type_: str,
        data: bytes,
        timestamp: str,
        then: str = "",
        requeue: values.Requeue | None = None,
    ) -> int:
        """See `session_deliver.lua`."""
        back: list[Any] = [requeue.ticket, requeue.pool, requeue.region, requeue.mode, requeue.leader] if requeue else []
        reply = await self._calls.call(
            "session_deliver",
            [keys.connection(player), keys.ticket(player), keys.player_outbox(player), keys.seen(player)],
            player,
            event,
            match,
            ticket,
            type_,
            data,
            timestamp,
            keys.updates_channel(player),
            OUTBOX_CAP,
            then,
            *back,
        )
        return int(reply[2])

    async def session_of(self, player: str) -> str | None:
        """A field beside the ticket."""
        found: bytes | None = await self._calls.command("HGET", keys.ticket(player), "session")
        return found.decode() if found else None

    async def ticket_state(self, player: str) -> values.TicketState:
        """Fields of one hash."""
        found = await self._calls.command("HMGET", keys.ticket(player), "ticket", "pool", "region", "mode", "session", "history")
        ticket, pool, region, mode, session, history = (part.decode() if part else "" for part in found)
        noted = []
        for line in history.splitlines():
            at, of, what, detail = line.split(" ", 3)
            noted.append(values.Noted(int(at) / 1000, of, what, detail))
        return values.TicketState(Place(ticket, pool, region, mode) if ticket else None, session, tuple(noted))

    async def session_release(self, player: str, match: str) -> bool:
        """See `session_release.lua`."""
        return bool((await self._calls.call("session_release", [keys.ticket(player)], player, match))[2])

    async def timer_set(self, match: str, seconds: float) -> int:
        """See `timer_set.lua`."""
        return int((await self._calls.call("timer_set", [keys.timers(match)], match, int(seconds * 1000)))[2])

    async def timer_take(self, shard: str, ahead: float, limit: int) -> list[values.Timer]:
        """See `timer_take.lua`."""
        reply = await self._calls.call("timer_take", [shard], int(ahead * 1000), limit)
        return [values.Timer(reply[i].decode(), int(reply[i + 1])) for i in range(1, len(reply), 2)]

    async def timer_finish(self, match: str, token: int, due: float | None) -> bool:
        """See `timer_finish.lua`."""
        at = "" if due is None else int(due * 1000) + 1  # not a fraction too early
        return bool((await self._calls.call("timer_finish", [keys.timers(match)], match, token, at))[2])

    async def penalise(self, player: str, event: str, pool: str, ladder: Sequence[float]) -> float:
        """See `penalise.lua`."""
        steps = [int(step * 1000) for step in ladder] or [0]
        reply = await self._calls.call("penalise", [keys.profile(player), keys.seen(player)], player, event, pool, FORGIVE_MS, *steps)
        return int(reply[2]) / 1000

    async def rate(self, player: str, event: str, field: str, rate: Rate) -> bool:
        """See `rate.lua`."""
        reply = await self._calls.call(
            "rate",
            [keys.profile(player), keys.seen(player), keys.matches(player)],
            player,
            event,
            field,
            rate.outcome,
            *(repr(float(value)) for value in (*rate.before, *rate.after)),
            " ".join(rate.opponents),
            rate.record,
            RECENT,
            HISTORY,
        )
        return bool(reply[2])

    async def profile(self, player: str) -> values.Profile:
        """The hash, read whole: it is small."""
        found = await self._calls.command("HGETALL", keys.profile(player))
        pairs = found.items() if isinstance(found, dict) else zip(found[::2], found[1::2], strict=True)
        return profile_of(player, {name.decode(): value.decode(errors="replace") for name, value in pairs})

    async def put_profile(self, profile: values.Profile) -> None:
        """One HSET: fields that the profile does not speak of (preferences, cooldowns) stay."""
        words: list[Any] = []
        for field, numbers in profile.ratings.items():
            for name, number in zip(("rating", "sigma", "volatility"), numbers, strict=True):
                words += [f"{name}:{field}", repr(float(number))]
        words += ["recent", " ".join(profile.recent)]
        for name, count in profile.counts.items():
            words += [f"count:{name}", count]
        await self._calls.command("HSET", keys.profile(profile.player), *words)

    async def players(self) -> list[str]:
        """SCAN, on every primary."""
        found = set()
        async for key in self._client.scan_iter(match=keys.PROFILES, count=SCAN):
            found.add(key.decode().split("{", 1)[1].rsplit("}", 1)[0])
        return sorted(found)

    async def counters(self, pool: str, region: str, mode: str) -> dict[str, int]:
        """The numbers of the hash, read whole: it is small."""
        found = await self._calls.command("HGETALL", keys.statistics(pool, region, mode))
        pairs = found.items() if isinstance(found, dict) else zip(found[::2], found[1::2], strict=True)
        return {name.decode(): int(value) for name, value in pairs}

    async def history(self, player: str) -> list[bytes]:
        """The list, whole."""
        found: list[bytes] = await self._calls.command("LRANGE", keys.matches(player), 0, -1)
        return found


def _write(session: Session, data: bytes, revision: int, keep: float, timestamp: str) -> tuple[list[str], list[Any]]:
    """KEYS and ARGV of `session_write.lua`, without effects."""
    match = session.id
    holds, players, channel = "1" if session.holds else "", " ".join(session.players), keys.match_channel(match)
    written = [match, revision, data, session.status, session.connection, int(keep), players, channel, timestamp, holds]
    return [keys.session(match), keys.session_outbox(match)], written


def profile_of(player: str, fields: dict[str, str]) -> values.Profile:
    """A profile from its hash."""
    ratings = {
        name.removeprefix("rating:"): (
            float(value),
            float(fields.get(name.replace("rating:", "sigma:", 1), 0)),
            float(fields.get(name.replace("rating:", "volatility:", 1), 0.06)),
        )
        for name, value in fields.items()
        if name.startswith("rating:")
    }
    counts = {name.removeprefix("count:"): int(value) for name, value in fields.items() if name.startswith("count:")}
    return values.Profile(player, ratings, tuple(fields.get("recent", "").split()), counts)
