"""From a match's result to what it means for each player: rating, outcome, entry of the history. Pure."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from .rating import Belief, InvalidOutcomeError, rating_system
from .session import Result, Seat, Session
from .session_effects import Rate

_json = msgspec.json.Encoder()
Outcome = Literal["won", "lost", "drawn", "abandoned"]


def rates_of(session: Session, result: Result, beliefs: Mapping[str, Belief], at: str) -> tuple[Rate, ...]:
    """What a result means for everybody who was in the session.

    Whoever abandoned the match is rated with the team, but never upwards. With fewer than two teams of players, or stored numbers that no rating system
    can take, nobody's rating changes.

    Args:
        beliefs: player id → what was believed before; players without one begin at the pool's initial belief.
        at: when the match ended, RFC 3339.
    """
    system = rating_system(session.policy.rating)
    before = {seat.player: beliefs.get(seat.player, system.initial()) for seat in session.seats}
    after = _updated(session, result, before)
    gone = {*result.abandoned, *(seat.player for seat in session.seats if seat.left)}
    teams = [
        {"name": team, "rank": result.ranks[team], "players": [seat.player for seat in session.seats if seat.team == team]}
        for team in session.teams
    ]
    rates = []
    for seat in session.seats:
        own, new = before[seat.player], after[seat.player]
        if seat.player in gone and new.mu > own.mu:
            new = msgspec.structs.replace(new, mu=own.mu)
        outcome = "abandoned" if seat.player in gone else _outcome(seat.team, result)
        record: dict[str, Any] = {
            "match_id": session.id,
            "pool": session.pool,
            "region": session.region,
            "mode": session.mode,
            "ended": at,
            "outcome": outcome,
            "teams": teams,
            "rating": {"before": round(own.mu, 2), "after": round(new.mu, 2)},
        }
        rates.append(Rate(seat.player, outcome, _numbers(own), _numbers(new), _opponents(session, seat), _json.encode(record).decode()))
    return tuple(rates)


def _updated(session: Session, result: Result, before: Mapping[str, Belief]) -> dict[str, Belief]:
    teams = [team for team in session.teams if any(seat.team == team for seat in session.seats)]
    seats = [[seat.player for seat in session.seats if seat.team == team] for team in teams]
    try:
        updated = rating_system(session.policy.rating).update(
            [[before[player] for player in players] for players in seats], [result.ranks[team] for team in teams]
        )
    except InvalidOutcomeError:
        return dict(before)
    return {
        player: belief for players, beliefs in zip(seats, updated, strict=True) for player, belief in zip(players, beliefs, strict=True)
    }


def _outcome(team: str, result: Result) -> Outcome:
    best = min(result.ranks.values())
    if result.ranks[team] > best:
        return "lost"
    return "won" if list(result.ranks.values()).count(best) == 1 else "drawn"


def _opponents(session: Session, seat: Seat) -> tuple[str, ...]:
    return tuple(other.player for other in session.seats if other.team != seat.team)


def _numbers(belief: Belief) -> tuple[float, float, float]:
    return belief.mu, belief.sigma, belief.volatility
