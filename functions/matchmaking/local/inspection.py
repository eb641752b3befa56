"""What `matchmaking inspect` shows: tables of how a queue, a ticket, a player or a match stands. Only reads, and only what any gateway reads as well."""

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table

from matchmaking.core.pool import PoolRules
from matchmaking.core.ticket import Ticket
from matchmaking.protocol.messages import Why
from matchmaking.store import values
from matchmaking.store.interface import Store
from matchmaking.store.joining import record_decoder

from .errors import DevelopmentError

OLDEST = 10  # tickets of a queue that are listed
_why = msgspec.json.Decoder(Why)


class NotThereError(DevelopmentError):
    """There is no such thing; the message says what there is."""


async def queues(store: Store, name: str | None) -> RenderableType:
    """One queue with its oldest tickets, or all queues (of a pool)."""
    pools = await store.pools()
    wanted = (name or "").split("/")
    if name and (wanted[0] not in pools or len(wanted) not in {1, 3}):
        raise NotThereError(
            f"there is no queue `{name}`; name one as POOL or POOL/REGION/MODE; pools: {', '.join(sorted(pools)) or 'none'}"
        )
    shown = {pool: rules for pool, (_, rules) in sorted(pools.items()) if not name or pool == wanted[0]}
    if len(wanted) == 3:
        region, mode = wanted[1:]
        if shown[wanted[0]].region(region) is None or mode not in shown[wanted[0]].modes:
            raise NotThereError(f"pool `{wanted[0]}` has no queue `{region}/{mode}`")
        return Group(await _queue_table(store, shown, [(wanted[0], region, mode)]), await _oldest(store, wanted[0], region, mode))
    every = [(pool, region.name, mode) for pool, rules in shown.items() for region in rules.regions for mode in rules.modes]
    return await _queue_table(store, shown, every)


async def _queue_table(store: Store, pools: dict[str, PoolRules], names: list[tuple[str, str, str]]) -> Table:
    table = Table("pool", "region", "mode", "waiting", "oldest", "matchers", "matches", "ended", "blocked by", title="Queues")
    for pool in pools:
        wanted = [(region, mode) for each, region, mode in names if each == pool]
        for reading in await store.readings(pool, wanted):
            ended = sum(number for field, number in reading.counts.items() if field.startswith("ended|"))
            blocked = ", ".join(f"{rule} {number}" for rule, number in sorted(reading.blocked.items(), key=lambda item: -item[1]))
            oldest = _seconds(reading.oldest) if reading.waiting else ""
            matches = reading.counts.get("matched", 0)
            table.add_row(
                pool, reading.region, reading.mode, *map(str, (reading.waiting, oldest, reading.matchers, matches, ended)), blocked
            )
    return table


async def _oldest(store: Store, pool: str, region: str, mode: str) -> Table:
    page = await store.page(pool, region, mode, None, OLDEST)
    standings = (await store.positions(pool, region, mode, [waiter.ticket for waiter in page.waiters])).tickets
    table = Table("ticket", "waited", "players", "ratings", "why it waits", title=f"The oldest {OLDEST}")
    for waiter, standing in zip(page.waiters, standings, strict=True):
        ticket = _read(waiter.record)
        names = ", ".join(player.id for player in ticket.players) if ticket else "unreadable"
        ratings = ", ".join(f"{player.rating:.0f}" for player in ticket.players) if ticket else ""
        table.add_row(waiter.ticket, _seconds(page.now - waiter.enqueued_ms / 1000), names, ratings, _reason(standing))
    return table


async def ticket(store: Store, pool: str, name: str) -> RenderableType:
    """A waiting ticket."""
    pools = await store.pools()
    if pool not in pools:
        raise NotThereError(f"there is no pool `{pool}`; pools: {', '.join(sorted(pools)) or 'none'}")
    record = await store.record(values.Place(name, pool, "", ""))
    found = _read(record)
    if found is None:
        what = "its record cannot be read" if record else "it does not wait (any more)"
        raise NotThereError(f"pool `{pool}` has no readable ticket `{name}`: {what}; a match is shown by `matchmaking inspect match`")
    standings = await store.positions(pool, found.region, found.mode, [name])
    (standing,) = standings.tickets
    table = Table("", "", title=f"Ticket {name}", show_header=False)
    table.add_row("queue", f"{pool}/{found.region}/{found.mode}")
    table.add_row("position", f"{standing.position} of {standings.length}" if standing.position else "not waiting")
    table.add_row("why it waits", _reason(standing) or "no round has looked at it yet")
    if found.head_start:
        table.add_row("head start", _seconds(found.head_start))
    players = Table("player", "rating", "±", "latency", "attributes", "roles", "recent opponents")
    for player in found.players:
        latency = ", ".join(f"{region} {ms:.0f} ms" for region, ms in player.latency.items())
        attributes = ", ".join(f"{key}={value}" for key, value in player.attributes.items())
        words = (f"{player.rating:.0f}", f"{player.sigma:.0f}", latency, attributes, ", ".join(player.roles), ", ".join(player.recent))
        players.add_row(player.id, *words)
    return Group(table, players)


async def player(store: Store, name: str) -> RenderableType:
    """A player's session and latest events."""
    table = Table("", "", title=f"Player {name}", show_header=False)
    outbox, profile = await store.outbox(name, 0), await store.profile(name)
    table.add_row("connection", f"generation {outbox.generation}, {outbox.seq} events so far" if outbox.generation else "never connected")
    table.add_row("session", await store.session_of(name) or "in none")
    for where, (mu, sigma, _) in profile.ratings.items():
        table.add_row(f"rating {where}", f"{mu:.0f} ± {sigma:.0f}")
    table.add_row("recent opponents", ", ".join(profile.recent))
    events = Table("number", "event", "at", "data", title="Events that are not acknowledged yet")
    for event in outbox.events:
        events.add_row(str(event.seq), event.type, event.timestamp, event.data.decode()[:200])
    return Group(table, events)


async def match(store: Store, name: str) -> RenderableType:
    """A match's session."""
    read = await store.session_read(name)
    session = read.session
    if session is None:
        raise NotThereError(f"there is no session of match `{name}`: it never was, or ended a while ago")
    table = Table("", "", title=f"Match {name}", show_header=False)
    table.add_row("queue", f"{session.pool}/{session.region}/{session.mode}")
    table.add_row("status", f"{session.status} {session.reason}".strip())
    table.add_row("age", _seconds(read.now - session.created))
    for deadline, at in sorted(session.due.items(), key=lambda item: item[1]):
        table.add_row(f"due: {deadline}", f"in {_seconds(at - read.now)}" if at >= read.now else f"{_seconds(read.now - at)} ago")
    if read.pending:
        table.add_row("not carried out yet", f"{read.pending} effects")
    seats = Table("player", "team", "ticket", "accepted", "away", "left")
    for seat in session.seats:
        away = _seconds(read.now - seat.away) if seat.away else ""
        seats.add_row(seat.player, seat.team, seat.ticket, "yes" if seat.accepted else "", away, "yes" if seat.left else "")
    return Group(table, seats)


def _read(record: bytes | None) -> Ticket | None:
    try:
        return record_decoder.decode(record or b"")
    except msgspec.MsgspecError:
        return None


def _reason(standing: values.Standing) -> str:
    return _why.decode(standing.reason).message if standing.reason else ""


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60)
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{rest:.1f} s"
