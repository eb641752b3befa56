"""What people are told: of a match why and how good, of a waiting ticket what keeps it waiting. Computed when asked for.

Win chances: each team's strength is normal, its mean the average of its players' ratings, its variance that of the average plus
each player's performance noise, beta = initial sigma / 2 (TrueSkill: Herbrich, Minka, Graepel 2006; openskill keeps it). Of two teams one wins
with Phi(difference / deviation of the difference); of several the chances are averaged over all pairs, as openskill's `predict_win` does
(Weng, Lin 2011, section 5). Averages instead of sums, so that teams of unequal size compare by skill; for equal sizes it is the same.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from .candidate import Entry, Side
from .evaluate import GROUP, Frame, distance_gaps, judge, judge_group, team_means
from .pool import AvoidRecentOpponentsRule, DistanceRule, LatencyRule, Rule, TeamDistanceRule
from .round import Match, Reason, TeamResult
from .ticket import Player

LOOKED_AT = 100  # candidates, nearest ratings first, that a reason is computed from: some 1 ms


def _players(side: Side) -> list[Player]:
    return [*side.present, *(player for entry in side.entries for player in entry.ticket.players)]


def win_chances(sides: Sequence[Side], beta: float) -> list[float]:
    """Each team's predicted probability to win; they sum to 1.

    Args:
        beta: standard deviation of a player's performance in one match, in the rating's units.
    """
    strengths = []
    for players in map(_players, sides):
        n = len(players) or 1
        variance = sum(player.sigma * player.sigma + beta * beta for player in players) / (n * n)
        strengths.append((sum(player.rating for player in players) / n, variance))
    if len(strengths) == 1:
        return [1.0]
    chances = [0.0] * len(strengths)
    for i, (mu, variance) in enumerate(strengths):
        for j in range(i):
            deviation = math.sqrt(variance + strengths[j][1]) or 1e-9
            chance = 0.5 * (1.0 + math.erf((mu - strengths[j][0]) / (deviation * math.sqrt(2.0))))
            chances[i] += chance
            chances[j] += 1.0 - chance
    pairs = len(strengths) * (len(strengths) - 1) / 2
    return [chance / pairs for chance in chances]


def describe(frame: Frame, sides: Sequence[Side], backfill: Entry | None = None) -> Match:
    """The match as the round returns it. A backfill ticket stands first in the first team."""
    if backfill is None and len(sides) == 2 and all(len(side.entries) == side.size == 1 for side in sides):
        return _describe_duel(frame, sides, sides[0].entries[0], sides[1].entries[0])
    return describe_teams(frame, sides, backfill)


def describe_teams(frame: Frame, sides: Sequence[Side], backfill: Entry | None = None) -> Match:
    """The same, without the short way for duels."""
    chances = win_chances(sides, frame.rules.rating.initial.sigma / 2)
    ratings = [player.rating for side in sides for player in _players(side)]
    means = team_means(frame, sides, "rating")
    gap = max(ratings, default=0.0) - min(ratings, default=0.0)
    imbalance = max(means, default=0.0) - min(means, default=0.0)
    first = () if backfill is None else (backfill.ticket,)
    teams = tuple(
        TeamResult(side.name, (first if i == 0 else ()) + tuple(entry.ticket for entry in side.entries), chance)
        for i, (side, chance) in enumerate(zip(sides, chances, strict=True))
    )
    entries = [entry for side in sides for entry in side.entries] + ([backfill] if backfill else [])
    return Match(
        teams, frame.region, _quality(frame, sides, entries, backfill), gap, imbalance, _why(entries, gap, imbalance, len(sides), backfill)
    )


def _describe_duel(frame: Frame, sides: Sequence[Side], one: Entry, other: Entry) -> Match:
    """The same for two lone tickets, in a third of the time: most matches of large queues are such."""
    a, b = one.ticket.players[0], other.ticket.players[0]
    beta = frame.rules.rating.initial.sigma / 2
    deviation = math.sqrt((b.sigma * b.sigma + beta * beta) + (a.sigma * a.sigma + beta * beta)) or 1e-9
    chance = 0.5 * (1.0 + math.erf((b.rating - a.rating) / (deviation * math.sqrt(2.0))))
    gap, imbalance = abs(a.rating - b.rating), abs(one.rating - other.rating)
    teams = (
        TeamResult(sides[0].name, (one.ticket,), 1.0 - chance),
        TeamResult(sides[1].name, (other.ticket,), chance),
    )
    entries = (one, other)
    return Match(teams, frame.region, _quality(frame, sides, entries, None), gap, imbalance, _why(entries, gap, imbalance, 2, None))


def _quality(frame: Frame, sides: Sequence[Side], entries: Sequence[Entry], backfill: Entry | None) -> float:
    """1 minus the share of each window that is used, averaged; a broken preference counts as wholly used, by its weight."""
    in_force = frame.schedule.at(frame.age(entries))
    rules = in_force.rules
    quotas = [(side.kind.name, quota) for side in sides for quota in in_force.quotas[side.kind.name] if quota.weight is not None]
    soft = bool(quotas) or any(rule.weight is not None for rule in rules)
    broken = judge(frame, sides, backfill).broken if soft else ()
    total = used = 0.0
    for rule in rules:
        share = 1.0 if rule.name in broken else _share(frame, rule, sides, entries)
        if share is not None and (rule.weight is None or rule.weight > 0):
            weight = rule.weight or 1.0
            total += weight
            used += weight * min(1.0, share)
    weight_of = {f"{team}.{quota.name}": quota.weight or 0.0 for team, quota in quotas}
    total += sum(weight_of[f"{team}.{quota.name}"] for team, quota in quotas)
    used += sum(weight_of.get(name, 0.0) for name in broken)
    return 1.0 - used / total if total else 1.0


def _share(frame: Frame, rule: Rule, sides: Sequence[Side], entries: Sequence[Entry]) -> float | None:
    """How much of a rule's window a match uses; None for rules that are only kept or broken, unless they are preferences."""
    present = [player for side in sides for player in side.present]
    if isinstance(rule, DistanceRule):
        parts = [(entries, present)] if rule.around == "match" else [(side.entries, list(side.present)) for side in sides]
        return max((gap / (window or 1.0) for some, there in parts for gap, window in distance_gaps(frame, rule, some, there)), default=0.0)
    if isinstance(rule, TeamDistanceRule):
        means = team_means(frame, sides, rule.attribute)
        return (max(means) - min(means)) / (rule.max_distance or 1.0) if means else 0.0
    if isinstance(rule, LatencyRule):
        values = [player.latency.get(frame.region, 0.0) for entry in entries for player in entry.ticket.players]
        return max(values, default=0.0) / (rule.max_latency_ms or 1.0)
    return None if rule.weight is None else 0.0


def _why(entries: Sequence[Entry], gap: float, imbalance: float, teams: int, backfill: Entry | None) -> str:
    oldest = max(entry.age for entry in entries)
    text = f"{len(entries)} tickets, the oldest after {oldest:.0f} s; ratings within {gap:.0f}"
    if teams > 1:
        text += f", teams within {imbalance:.0f}"
    return text + (f"; fills a running match ({backfill.ticket.backfill.match})" if backfill and backfill.ticket.backfill else "")


class Reasons(Mapping[str, Reason]):
    """Ticket id → why it waits; each computed when it is asked for.

    Args:
        left: the tickets in no match, with the frame that they were judged in; those of one group could have met.
    """

    def __init__(self, left: Sequence[tuple[Frame, Sequence[Entry]]]) -> None:
        self._left = left
        self._groups: dict[str, int] | None = None
        self._known: dict[str, Reason] = {}

    def __getitem__(self, ticket: str) -> Reason:
        found = self._known.get(ticket)
        if found is None:
            group = self._index()[ticket]
            frame, entries = self._left[group]
            found = self._known[ticket] = reason_for(frame, next(e for e in entries if e.ticket.id == ticket), entries)
        return found

    def _index(self) -> dict[str, int]:
        if self._groups is None:
            self._groups = {entry.ticket.id: i for i, (_, entries) in enumerate(self._left) for entry in entries}
        return self._groups

    def __contains__(self, ticket: object) -> bool:
        return ticket in self._index()

    def __iter__(self) -> Iterator[str]:
        return iter(self._index())

    def __len__(self) -> int:
        return len(self._index())


class Suspended(Mapping[str, Reason]):
    """Why tickets of a suspended pool wait."""

    def __init__(self, tickets: Sequence[str]) -> None:
        self._tickets = dict.fromkeys(tickets)

    def __getitem__(self, ticket: str) -> Reason:
        self._tickets[ticket]
        return Reason("suspended")

    def __iter__(self) -> Iterator[str]:
        return iter(self._tickets)

    def __len__(self) -> int:
        return len(self._tickets)


def reason_for(frame: Frame, entry: Entry, others: Sequence[Entry]) -> Reason:
    """Why a ticket waits, judged against the nearest of those that wait with it."""
    candidates = sorted(
        (other for other in others if other is not entry and not (other.ticket.backfill and entry.ticket.backfill)),
        key=lambda other: (abs(other.rating - entry.rating), other.ticket.id),
    )[:LOOKED_AT]
    blocked: dict[str, int] = {}
    for other in candidates:
        rule = _blocking(frame, entry, other)
        if rule:
            blocked[rule] = blocked.get(rule, 0) + 1
    in_force = frame.schedule.at(entry.age)
    needed = sum(in_force.minimums[team.name] * team.quantity for team in frame.rules.teams)
    players = entry.size + sum(other.size for other in candidates)
    admitted = len(candidates) - sum(blocked.values())
    if not candidates or (players < needed and not blocked):
        rule = "players"
    elif blocked and (admitted == 0 or players >= needed):
        rule = max(sorted(blocked), key=blocked.__getitem__)
    else:
        rule = _team_rule(frame) if players >= needed else "players"
    return Reason(rule, blocked, dict(in_force.windows), _next_change(frame, entry, blocked))


def _team_rule(frame: Frame) -> str:
    """When each pair could meet but no match came about, it is the teams' balance that did not come out, if there is such a rule."""
    return next((rule.name for rule in frame.rules.rules if isinstance(rule, TeamDistanceRule) and rule.weight is None), "players")


def _blocking(frame: Frame, entry: Entry, other: Entry) -> str:
    present = [
        player for one in (entry, other) if one.ticket.backfill for players in one.ticket.backfill.teams.values() for player in players
    ]
    verdict = judge_group(frame, (entry, other), present)
    if verdict.blocked or frame.rules.max_match_players > 2:
        return verdict.blocked
    from .candidate import empty_sides
    from .duel import seat

    sides = empty_sides(frame.rules)
    if seat(frame, sides, entry, other)[0] is not None:
        return ""
    return next((rule.name for rule in frame.schedule.at(frame.age((entry, other))).rules if type(rule) not in GROUP), "roles")


def _next_change(frame: Frame, entry: Entry, blocked: Mapping[str, int]) -> float | None:
    waits = [frame.schedule.next_change(entry.age)]
    waits += [
        rule.release_after - entry.age
        for rule in frame.rules.rules
        if isinstance(rule, AvoidRecentOpponentsRule) and rule.name in blocked and entry.age < rule.release_after
    ]
    home = frame.rules.region(entry.ticket.region)
    if home is not None and home.neighbors and entry.age < home.spill_after:
        waits.append(home.spill_after - entry.age)
    return min((wait for wait in waits if wait is not None), default=None)
