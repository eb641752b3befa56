"""From a client's wish to a ticket: fills in preferences, checks the wish against the pool, and makes the record that the matcher reads."""

import re
from collections.abc import Mapping, Sequence
from math import inf
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from matchmaking.core.admission import check_ticket
from matchmaking.core.errors import InvalidTicketError
from matchmaking.core.pool import PoolRules
from matchmaking.core.ticket import Player, Ticket
from matchmaking.protocol.messages import Attributes, Label, Latency, QueueJoinData, Roles
from matchmaking.store import values
from matchmaking.store.interface import Store
from matchmaking.telemetry.traces import carried

from .errors import RefusedError


class Preferences(Struct, frozen=True):
    """What `queue_join` falls back on when it leaves something out.

    Attributes:
        regions, modes: in order of preference; the first one that the pool has is taken.
        max_latency: of the regions, only those count that were measured and are within it, in milliseconds; of equals the earlier one is taken.
        latency: round-trip milliseconds by region.
        roles, attributes: as in `queue_join`; a member's own when the party's leader queues.
    """

    regions: Annotated[list[Label], Meta(max_length=64)] = []
    modes: Annotated[list[Label], Meta(max_length=16)] = []
    max_latency: Annotated[float, Meta(gt=0, le=10_000)] | None = None
    latency: Latency = {}
    roles: Roles = []
    attributes: Attributes = {}


Others = Mapping[str, Preferences]  # the other members of a party, by player
NOBODY: Others = {}
preferences_decoder = msgspec.json.Decoder(Preferences)


async def read_preferences(store: Store, player: str) -> Preferences:
    """A player's preferences; empty if there are none."""
    data = await store.preferences(player)
    return preferences_decoder.decode(data) if data else Preferences()


def needs_preferences(wish: QueueJoinData) -> bool:
    """Whether anything was left out that preferences may say."""
    return wish.region is None or wish.mode is None or not (wish.latency and wish.roles and wish.attributes)


def brings_anything(wish: QueueJoinData) -> bool:
    """Whether there is anything in a wish that a pool may mind, but region and mode."""
    return bool(wish.latency or wish.roles or wish.attributes)


def complete(wish: QueueJoinData, rules: PoolRules, preferences: Preferences, others: Others = NOBODY) -> QueueJoinData:
    """The wish with everything named.

    Args:
        others: whose limits of latency count too when a region is chosen.

    Raises:
        RefusedError: region or mode are neither in the wish nor clear from preferences and pool, or no region is near enough.
    """
    return QueueJoinData(
        wish.pool,
        wish.region or _choose_region(rules, preferences, wish.latency or preferences.latency, others),
        wish.mode or _choose("mode", preferences.modes, list(rules.modes)),
        wish.op_id,
        wish.latency or preferences.latency,
        wish.roles or preferences.roles,
        {**preferences.attributes, **wish.attributes},
    )


def _choose(what: str, preferred: Sequence[str], offered: Sequence[str]) -> str:
    for name in preferred:
        if name in offered:
            return name
    if len(offered) == 1:
        return offered[0]
    raise RefusedError("invalid_message", f"say which {what}, or set one in your preferences; the pool has {', '.join(offered)}")


def _choose_region(rules: PoolRules, preferences: Preferences, latency: Mapping[str, float], others: Others) -> str:
    """The first in the player's order that is near enough for everybody; without an order the nearest."""
    offered = [region.name for region in rules.regions]
    limits = [("you", preferences.max_latency, latency), *((name, other.max_latency, other.latency) for name, other in others.items())]
    near = offered
    for name, limit, measured in limits:
        if limit is not None:
            near = [region for region in near if measured.get(region, inf) <= limit]
        if not near:
            found = ", ".join(f"{region} {measured[region]:g} ms" if region in measured else f"{region} not measured" for region in offered)
            raise RefusedError("no_near_region", f"no region is within the {limit:g} ms of {name}: {found}; name a region, or allow more")
    if not preferences.regions and len(near) > 1 and any(region in latency for region in near):
        return min(near, key=lambda region: latency.get(region, inf))
    if near != offered and not any(region in near for region in preferences.regions):
        return min(near, key=lambda region: latency.get(region, inf))
    return _choose("region", preferences.regions, near)


def build_ticket(
    wish: QueueJoinData,
    rules: PoolRules,
    players: Sequence[str],
    place: values.Place,
    found: Sequence[values.Reservation],
    others: Others = NOBODY,
) -> Ticket:
    """The ticket of these players; ratings come from the store only, and what the others bring from their own preferences."""
    initial = rules.rating.initial
    return Ticket(
        place.ticket,
        place.region,
        place.mode,
        tuple(
            Player(
                player,
                initial.mu if profile.rating is None else profile.rating,
                initial.sigma if profile.sigma is None else profile.sigma,
                dict(others.get(player, wish).attributes),
                dict(others.get(player, wish).latency),
                profile.recent,
                (),
                tuple(others.get(player, wish).roles),
            )
            for player, profile in zip(players, found, strict=True)
        ),
        0.0,
        trace=carried(),
    )


def check_wish(wish: QueueJoinData, rules: PoolRules, players: Sequence[str], others: Others = NOBODY) -> None:
    """Check a completed wish before anything is reserved for it.

    Raises:
        RefusedError: the pool does not take such a ticket; code and text say why.
    """
    place = values.Place("check", wish.pool, wish.region or "", wish.mode or "")
    ticket = build_ticket(wish, rules, players, place, [values.Reservation("reserved", place)] * len(players), others)
    try:
        check_ticket(ticket, rules)
    except InvalidTicketError as error:
        named = re.sub(r"^players\[(\d+)\]", lambda found: f"`{players[int(found[1])]}`", str(error)) if others else str(error)
        raise RefusedError(error.code, named) from error
    if rules.suspend:
        raise RefusedError("pool_suspended", f"the pool `{wish.pool}` takes no new tickets just now", 60.0)
