"""A second opinion on matches: every rule told again, slowly and from the manifest's words, without the production code.

Only `pool.py`'s types are shared. Tests ask `faults` about each match that a round proposes; an empty list means that sizes, roles and
all hard rules hold at the tickets' ages.
"""

import math
from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

from matchmaking.core.pool import PoolRules, Team
from matchmaking.core.round import Match
from matchmaking.core.ticket import Player, Ticket

SLACK = 1e-6  # floating point may differ in the last digits


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


class Now:
    """What is in force for a match: rule name → its fields, team name → fewest players."""

    def __init__(self, rules: PoolRules, age: float) -> None:
        self.fields: dict[str, dict[str, Any]] = {
            rule.name: {"type": type(rule).__name__, **{name: getattr(rule, name) for name in rule.__struct_fields__}}
            for rule in rules.rules
        }
        self.fewest: dict[str, int] = {team.name: team.min_players for team in rules.teams}
        self.quotas: dict[str, dict[str, Any]] = {
            f"{team.name}.{quota.name}": {name: getattr(quota, name) for name in quota.__struct_fields__}
            for team in rules.teams
            for quota in team.roles
        }
        for step in rules.expansions.steps:
            self._apply(step, age)

    def _apply(self, step: Any, age: float) -> None:
        owner, _, target = step.target.partition(".")
        if age < step.after:
            return
        if step.disable:
            self.fields.pop(step.target, None)
            self.quotas.pop(step.target, None)
            return
        role, _, target_of_role = target.partition(".")
        if target_of_role and f"{owner}.{role}" in self.quotas:
            quota = self.quotas[f"{owner}.{role}"]
            moved = self._moved(step, age, float(quota[target_of_role] or 0.0))
            quota[target_of_role] = moved if target_of_role == "weight" else int(moved)
            return
        if owner in self.fewest:
            self.fewest[owner] = max(1, int(self._moved(step, age, self.fewest[owner])))
        elif owner in self.fields:
            field = _snake(target)
            value = self._moved(step, age, float(self.fields[owner].get(field) or 0.0))
            self.fields[owner][field] = max(1, int(value)) if field == "min_count" else int(value) if field in {"min", "max"} else value

    @staticmethod
    def _moved(step: Any, age: float, base: float) -> float:
        if step.value is not None:
            return float(step.value)
        times = int((age - step.after) // step.every)
        if not times:
            return base
        value = base + step.by * times
        if step.limit is not None:
            value = min(value, max(step.limit, base)) if step.by > 0 else max(value, min(step.limit, base))
        return max(0.0, value)


def match_age(rules: PoolRules, tickets: Sequence[Ticket], now: float) -> float:
    """The age that the pool's `ageSelection` picks."""
    ages = [max(0.0, now - ticket.enqueued + ticket.head_start) for ticket in tickets]
    pick = {"oldest": max(ages), "newest": min(ages), "average": sum(ages) / len(ages)}
    return pick[rules.expansions.age_selection]


def faults(match: Match, rules: PoolRules, now: float) -> list[str]:
    """What is wrong with a match, in words; empty if nothing is."""
    expected = [(f"{team.name}-{i + 1}" if team.quantity > 1 else team.name, team) for team in rules.teams for i in range(team.quantity)]
    if [team.name for team in match.teams] != [name for name, _ in expected]:
        return [f"teams are {[team.name for team in match.teams]}"]
    backfills = [ticket for ticket in match.tickets if ticket.backfill]
    if len(backfills) > 1:
        return ["two backfill tickets"]
    there: dict[str, tuple[Player, ...]] = backfills[0].backfill.teams if backfills and backfills[0].backfill else {}
    rosters = [
        (kind, [ticket for ticket in team.tickets if not ticket.backfill], there.get(team.name, ()))
        for team, (_, kind) in zip(match.teams, expected, strict=True)
    ]
    force = Now(rules, match_age(rules, match.tickets, now))
    found = _sizes(rosters, force)
    check = _Check(rules, match, rosters, now)
    for name, fields in force.fields.items():
        if fields["weight"] is None and not getattr(check, "_" + fields["type"])(fields):
            found.append(f"rule {name} is broken: {fields}")
    return found


Roster = tuple[Team, list[Ticket], Sequence[Player]]


def _sizes(rosters: Sequence[Roster], force: Now) -> list[str]:
    found = []
    for kind, tickets, there in rosters:
        players = [*there, *(player for ticket in tickets for player in ticket.players)]
        if not force.fewest[kind.name] <= len(players) <= kind.max_players:
            found.append(f"{kind.name} has {len(players)} players")
        elif not _roles_hold(players, [quota for name, quota in force.quotas.items() if name.startswith(f"{kind.name}.")]):
            found.append(f"{kind.name} cannot fill its roles with {[player.roles for player in players]}")
    return found


def _roles_hold(players: Sequence[Player], in_force: Sequence[dict[str, Any]]) -> bool:
    """By trying every assignment of players to roles (small teams only)."""
    quotas = {quota["name"]: quota for quota in in_force if quota["weight"] is None}
    if not quotas:
        return True
    choices = [
        [*sorted(quotas), ""] if not player.roles else [role if role in quotas else "" for role in player.roles] for player in players
    ]
    return any(all(quota["min"] <= way.count(name) <= quota["max"] for name, quota in quotas.items()) for way in product(*choices))


class _Check:
    """One method per rule type; each is True if the rule holds."""

    def __init__(self, rules: PoolRules, match: Match, rosters: Sequence[Roster], now: float) -> None:
        self.rules, self.match, self.rosters, self.now = rules, match, rosters, now
        self.tickets = [ticket for _, tickets, _ in rosters for ticket in tickets]
        self.there = [player for _, _, there in rosters for player in there]
        self.everybody = [*(player for ticket in self.tickets for player in ticket.players), *self.there]

    def _number(self, player: Player, attribute: str) -> float:
        return player.rating if attribute == "rating" else float(player.attributes.get(attribute, math.nan))  # type: ignore[arg-type]

    def _party_number(self, ticket: Ticket, attribute: str) -> float:
        values = [self._number(player, attribute) for player in ticket.players]
        return {"average": sum(values) / len(values), "max": max(values), "min": min(values)}[self.rules.party.rating_aggregation]

    def _average(self, tickets: Sequence[Ticket], there: Sequence[Player], attribute: str) -> float:
        values = [self._party_number(ticket, attribute) for ticket in tickets for _ in ticket.players]
        values += [self._number(player, attribute) for player in there]
        return sum(values) / len(values)

    def _DistanceRule(self, rule: dict[str, Any]) -> bool:  # noqa: N802
        groups = [(self.tickets, self.there)] if rule["around"] == "match" else [(tickets, there) for _, tickets, there in self.rosters]
        for tickets, there in groups:
            for ticket in tickets:
                others = [other for other in tickets if other is not ticket]
                two = len(tickets) == 2 and not there
                center = self._party_number(others[0], rule["attribute"]) if two else self._average(tickets, there, rule["attribute"])
                sigma = sum(player.sigma for player in ticket.players) / len(ticket.players)
                if (
                    not abs(self._party_number(ticket, rule["attribute"]) - center)
                    <= rule["max_distance"] + rule["uncertainty"] * sigma + SLACK
                ):
                    return False
        return True

    def _TeamDistanceRule(self, rule: dict[str, Any]) -> bool:  # noqa: N802
        means = [self._average(tickets, there, rule["attribute"]) for _, tickets, there in self.rosters if tickets or there]
        return max(means) - min(means) <= rule["max_distance"] + SLACK

    def _ComparisonRule(self, rule: dict[str, Any]) -> bool:  # noqa: N802
        """With a value the rule is about those who join: who is there already cannot be sent away."""
        rosters = [
            (tickets, () if rule["value"] is not None else there)
            for kind, tickets, there in self.rosters
            if kind.name in (rule["teams"] or [kind.name])
        ]
        groups = [self._roster(tickets, there) for tickets, there in rosters]
        if not rule["teams"]:
            groups = [[player for group in groups for player in group]]
        return all(self._compared(rule, [player.attributes.get(rule["attribute"]) for player in group]) for group in groups)

    @staticmethod
    def _compared(rule: dict[str, Any], values: list[Any]) -> bool:
        wanted = rule["value"]
        if wanted is None:
            return {"=": len(set(values)) <= 1, "!=": len(set(values)) == len(values)}.get(rule["operator"], True)
        test = {
            "=": lambda v: v == wanted,
            "!=": lambda v: v != wanted,
            "<": lambda v: v < wanted,
            "<=": lambda v: v <= wanted,
            ">": lambda v: v > wanted,
            ">=": lambda v: v >= wanted,
        }[rule["operator"]]
        return all(test(value) for value in values)

    def _IntersectionRule(self, rule: dict[str, Any]) -> bool:  # noqa: N802
        sets = [set(player.attributes[rule["attribute"]]) for player in self.everybody if rule["attribute"] in player.attributes]  # type: ignore[arg-type]
        return not sets or len(set.intersection(*sets)) >= rule["min_count"]

    def _LatencyRule(self, rule: dict[str, Any]) -> bool:  # noqa: N802
        values = [player.latency.get(self.match.region) for ticket in self.tickets for player in ticket.players]
        if None in values and rule["on_missing"] == "reject":
            return False
        known = [value for value in values if value is not None]
        spread = rule["max_spread_ms"]
        return not known or (max(known) <= rule["max_latency_ms"] and (spread is None or max(known) - min(known) <= spread + SLACK))

    def _companies(self) -> list[tuple[float, list[Player]]]:
        ages = {ticket.id: max(0.0, self.now - ticket.enqueued + ticket.head_start) for ticket in self.match.tickets}
        found = [(ages[ticket.id], list(ticket.players)) for ticket in self.tickets]
        if self.there:
            found.append((max(ages[ticket.id] for ticket in self.match.tickets if ticket.backfill), self.there))
        return found

    def _AvoidRecentOpponentsRule(self, rule: dict[str, Any]) -> bool:  # noqa: N802
        for (age, ours), (other_age, theirs) in combinations(self._companies(), 2):
            if max(age, other_age) >= rule["release_after"]:
                continue
            for a, b in product(ours, theirs):
                if a.id in b.recent[: rule["last_matches"]] or b.id in a.recent[: rule["last_matches"]]:
                    return False
        return True

    def _BlocklistRule(self, _rule: dict[str, Any]) -> bool:  # noqa: N802
        return not any(
            a.id in b.blocked or b.id in a.blocked
            for (_, ours), (_, theirs) in combinations(self._companies(), 2)
            for a, b in product(ours, theirs)
        )

    def _PartyRule(self, rule: dict[str, Any]) -> bool:  # noqa: N802
        if rule["largest"] is not None and any(len(ticket.players) > rule["largest"] for ticket in self.tickets):
            return False
        largest = [
            max([len(ticket.players) for ticket in tickets] + [1] * bool(there)) for _, tickets, there in self.rosters if tickets or there
        ]
        return rule["max_size_difference"] is None or max(largest) - min(largest) <= rule["max_size_difference"]

    def _TeamSizeRule(self, rule: dict[str, Any]) -> bool:  # noqa: N802
        sizes = [
            len(there) + sum(len(ticket.players) for ticket in tickets)
            for kind, tickets, there in self.rosters
            if kind.name in (rule["teams"] or [kind.name])
        ]
        return max(sizes) - min(sizes) <= rule["max_difference"]

    def _CountRule(self, rule: dict[str, Any]) -> bool:  # noqa: N802
        groups = [self.everybody]
        if rule["teams"]:
            groups = [self._roster(tickets, there) for kind, tickets, there in self.rosters if kind.name in rule["teams"]]
        for group in groups:
            values = [player.attributes.get(rule["attribute"]) for player in group]
            count = sum(rule["value"] in value if isinstance(value, list) else value == rule["value"] for value in values)
            if count < rule["min"] or (rule["max"] is not None and count > rule["max"]):
                return False
        return True

    def _TeamComparisonRule(self, rule: dict[str, Any]) -> bool:  # noqa: N802
        def numbers(team: str, attribute: str, how: str) -> list[float]:
            found = []
            for kind, tickets, there in self.rosters:
                values = [self._number(player, attribute) for player in self._roster(tickets, there)]
                values = [value for value in values if not math.isnan(value)]
                if kind.name == team and values:
                    found.append({"max": max(values), "min": min(values), "sum": sum(values), "average": sum(values) / len(values)}[how])
            return found

        pairs = product(
            numbers(rule["team"], rule["attribute"], rule["of"]), numbers(rule["other_team"], rule["other_attribute"], rule["other_of"])
        )
        test = {"=": "__eq__", "!=": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}[rule["operator"]]
        return all(getattr(a, test)(b) for a, b in pairs)

    @staticmethod
    def _roster(tickets: Sequence[Ticket], there: Sequence[Player]) -> list[Player]:
        return [*(player for ticket in tickets for player in ticket.players), *there]
