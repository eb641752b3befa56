"""From a client's wish to a ticket: fills in preferences, checks the wish against the pool, and makes the record that the matcher reads."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from matchmaking.core.admission import check_ticket
from matchmaking.core.errors import InvalidTicketError
from matchmaking.core.pool import PoolRules
from matchmaking.core.ticket import Player, Ticket
from matchmaking.protocol.messages import Attributes, Label, Latency, QueueJoinData, Roles
from matchmaking.store import values

from .errors import RefusedError


class Preferences(Struct, frozen=True):
    """What `queue_join` falls back on when it leaves something out.

    Attributes:
        regions, modes: in order of preference; the first one that the pool has is taken.
        latency: round-trip milliseconds by region.
        roles, attributes: as in `queue_join`.
    """

    regions: Annotated[list[Label], Meta(max_length=64)] = []
    modes: Annotated[list[Label], Meta(max_length=16)] = []
    latency: Latency = {}
    roles: Roles = []
    attributes: Attributes = {}


preferences_decoder = msgspec.json.Decoder(Preferences)


def needs_preferences(wish: QueueJoinData) -> bool:
    """Whether anything was left out that preferences may say."""
    return wish.region is None or wish.mode is None or not wish.latency


def complete(wish: QueueJoinData, rules: PoolRules, preferences: Preferences) -> QueueJoinData:
    """The wish with everything named.

    Raises:
        RefusedError: region or mode are neither in the wish nor clear from preferences and pool.
    """
    regions = [region.name for region in rules.regions]
    return QueueJoinData(
        wish.pool,
        wish.region or _choose("region", preferences.regions, regions),
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


def build_ticket(
    wish: QueueJoinData, rules: PoolRules, players: Sequence[str], place: values.Place, found: Sequence[values.Reservation]
) -> Ticket:
    """The ticket of these players; ratings come from the store only."""
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
                dict(wish.attributes),
                dict(wish.latency),
                profile.recent,
                (),
                tuple(wish.roles),
            )
            for player, profile in zip(players, found, strict=True)
        ),
        0.0,
    )


def check_wish(wish: QueueJoinData, rules: PoolRules, players: Sequence[str]) -> None:
    """Check a completed wish before anything is reserved for it.

    Raises:
        RefusedError: the pool does not take such a ticket; code and text say why.
    """
    place = values.Place("check", wish.pool, wish.region or "", wish.mode or "")
    ticket = build_ticket(wish, rules, players, place, [values.Reservation("reserved", place)] * len(players))
    try:
        check_ticket(ticket, rules)
    except InvalidTicketError as error:
        raise RefusedError(error.code, str(error)) from error
    if rules.suspend:
        raise RefusedError("pool_suspended", f"the pool `{wish.pool}` takes no new tickets just now", 60.0)
