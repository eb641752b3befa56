"""Whether a pool takes a ticket at all: asked by the gateway before anything is reserved for it, and by a round before it looks closer.

The same checks stand at both doors, because a record in the store may be older than the rules or come from elsewhere. A round
must not stop for one bad ticket, so it asks `Admission.flaw` and sets the ticket aside; a gateway asks `check_ticket` and tells the client.
"""

from collections.abc import Collection, Iterator

from msgspec import structs

from .errors import InvalidTicketError
from .pool import ComparisonRule, DistanceRule, IntersectionRule, LatencyRule, PoolRules, Rule, TeamComparisonRule, TeamDistanceRule
from .ticket import Player, Ticket

LARGEST_NUMBER = 1e12  # of ratings and attributes: sums of a thousand stay exact enough to compare
LONGEST_LATENCY = 1e6  # ms; a measurement beyond is none


def check_ticket(ticket: Ticket, rules: PoolRules) -> None:
    """Check a ticket against its pool.

    Raises:
        InvalidTicketError: it can never be matched there; path and code say why. Codes: unknown_region, unknown_mode, empty_ticket, party_too_large,
            duplicate_player, invalid_time, invalid_rating, invalid_latency, missing_latency, invalid_attribute, missing_attribute,
            unknown_team, unknown_role.
    """
    found = next(_flaws(ticket, rules), None) or next(_missing_latencies(ticket, rules), None)
    if found is not None:
        raise found


class Admission:
    """The door of a pool's rounds: most tickets are plain, and pass at a glance."""

    def __init__(self, rules: PoolRules) -> None:
        self.rules = rules
        self._regions = frozenset(region.name for region in rules.regions)
        self._modes = frozenset(rules.modes)
        self._anybody: dict[tuple[str, str], bool] = {}
        self._picky = _seats_are_all_quotas(rules) or any(getattr(rule, "attribute", "rating") != "rating" for rule in rules.rules)

    def takes_anybody(self, region: str, mode: str) -> bool:
        """Whether the pool takes a lone new player who brings nothing along: neither measurements nor roles nor attributes."""
        known = self._anybody.get((region, mode))
        if known is None and region in self._regions and mode in self._modes:
            initial = self.rules.rating.initial
            ticket = Ticket("anybody", region, mode, (Player("anybody", initial.mu, initial.sigma),), 0.0)
            flaw = next(_flaws(ticket, self.rules), None) or next(_missing_latencies(ticket, self.rules), None)
            known = self._anybody[region, mode] = flaw is None
        return bool(known)

    def flaw(self, ticket: Ticket) -> InvalidTicketError | None:
        """What keeps a ticket out of every round; None if nothing does."""
        return None if self._plain(ticket) else next(_flaws(ticket, self.rules), None)

    def _plain(self, ticket: Ticket) -> bool:
        """Whether it is a lone, sound player in a pool that asks for nothing special. NaN compares with nothing, so it never is."""
        if self._picky or ticket.backfill is not None or len(ticket.players) != 1:
            return False
        player = ticket.players[0]
        return (
            type(player.rating) is float
            and type(player.sigma) is float
            and -LARGEST_NUMBER <= player.rating <= LARGEST_NUMBER
            and 0.0 <= player.sigma <= LARGEST_NUMBER
            and abs(ticket.enqueued) <= LARGEST_NUMBER
            and abs(ticket.head_start) <= LARGEST_NUMBER
            and ticket.region in self._regions
            and ticket.mode in self._modes
            and (not player.latency or all(type(value) is float and 0.0 <= value <= LONGEST_LATENCY for value in player.latency.values()))
        )


def completed(ticket: Ticket, rules: PoolRules) -> Ticket:
    """The ticket with the pool's defaults for attributes that its players (or those in its running match) do not bring."""
    if not rules.attributes:
        return ticket
    defaults = {attribute.name: attribute.value for attribute in rules.attributes}

    def whole(players: tuple[Player, ...]) -> tuple[Player, ...]:
        if all(defaults.keys() <= player.attributes.keys() for player in players):
            return players
        return tuple(structs.replace(player, attributes={**defaults, **player.attributes}) for player in players)

    if ticket.backfill is None:
        players = whole(ticket.players)
        return ticket if players is ticket.players else structs.replace(ticket, players=players)
    teams = {name: whole(players) for name, players in ticket.backfill.teams.items()}
    return structs.replace(ticket, backfill=structs.replace(ticket.backfill, teams=teams))


def _flaws(ticket: Ticket, rules: PoolRules) -> Iterator[InvalidTicketError]:
    if rules.region(ticket.region) is None:
        names = ", ".join(region.name for region in rules.regions)
        yield InvalidTicketError("region", f"the pool has no region `{ticket.region[:80]}`; it has {names}", "unknown_region")
    if ticket.mode not in rules.modes:
        yield InvalidTicketError("mode", f"the pool has no mode `{ticket.mode[:80]}`; it has {', '.join(rules.modes)}", "unknown_mode")
    for name, time in (("enqueued", ticket.enqueued), ("headStart", ticket.head_start)):
        if not _finite(time):
            yield InvalidTicketError(name, "is not a finite number of seconds", "invalid_time")
    yield from _size_flaws(ticket, rules)
    seen: set[str] = set()
    for i, player in enumerate(ticket.players):
        if player.id in seen:
            yield InvalidTicketError(f"players[{i}].id", f"`{player.id[:80]}` is in the party twice", "duplicate_player")
        seen.add(player.id)
        yield from _player_flaws(player, f"players[{i}]", rules)


def _size_flaws(ticket: Ticket, rules: PoolRules) -> Iterator[InvalidTicketError]:
    if ticket.backfill is not None:
        yield from _backfill_flaws(ticket, rules)
        return
    size = len(ticket.players)
    largest = max(team.max_players for team in rules.teams)
    if size == 0:
        yield InvalidTicketError("players", "has nobody in it", "empty_ticket")
    if size > rules.party.max_size:
        yield InvalidTicketError("players", f"the pool takes parties of up to {rules.party.max_size}", "party_too_large")
    if size > largest:
        yield InvalidTicketError("players", f"a party of {size} fits into no team; the largest takes {largest}", "party_too_large")


def _backfill_flaws(ticket: Ticket, rules: PoolRules) -> Iterator[InvalidTicketError]:
    if ticket.backfill is None:
        return
    if ticket.players:
        yield InvalidTicketError(
            "players", "a backfill ticket brings no players of its own; they are in backfill.teams", "invalid_backfill"
        )
    names = {f"{team.name}-{i + 1}" if team.quantity > 1 else team.name: team for team in rules.teams for i in range(team.quantity)}
    for name, players in ticket.backfill.teams.items():
        if name not in names:
            yield InvalidTicketError(f"backfill.teams.{name[:80]}", f"the pool has no such team; it has {', '.join(names)}", "unknown_team")
        elif len(players) > names[name].max_players:
            yield InvalidTicketError(f"backfill.teams.{name}", f"has {len(players)} players, over maxPlayers", "party_too_large")
        for i, player in enumerate(players):
            yield from _rating_flaws(player, f"backfill.teams.{name[:80]}[{i}]")


def _rating_flaws(player: Player, path: str) -> Iterator[InvalidTicketError]:
    if not _finite(player.rating):
        yield InvalidTicketError(f"{path}.rating", "is not a finite number", "invalid_rating")
    if not _finite(player.sigma) or player.sigma < 0:
        yield InvalidTicketError(f"{path}.sigma", "is not a finite number of at least 0", "invalid_rating")


def _player_flaws(player: Player, path: str, rules: PoolRules) -> Iterator[InvalidTicketError]:
    yield from _rating_flaws(player, path)
    for region, value in player.latency.items():
        if not (_finite(value) and 0 <= value <= LONGEST_LATENCY):
            yield InvalidTicketError(f"{path}.latency.{region[:80]}", "is not a number of milliseconds of at least 0", "invalid_latency")
    given = {attribute.name for attribute in rules.attributes}
    for rule in rules.rules:
        yield from _attribute_flaws(player, path, rule, given)
    yield from _role_flaws(player, path, rules)


def _role_flaws(player: Player, path: str, rules: PoolRules) -> Iterator[InvalidTicketError]:
    """In a pool all of whose teams have quotas, a role that no quota names is most likely misspelt; harmless, so only counted if nothing is left."""
    quotas = {quota.name for team in rules.teams for quota in team.roles if quota.max > 0}
    if player.roles and quotas and not quotas.intersection(player.roles) and _seats_are_all_quotas(rules):
        yield InvalidTicketError(
            f"{path}.roles", f"no team has room for {', '.join(player.roles)[:80]}; roles are {', '.join(sorted(quotas))}", "unknown_role"
        )


def _seats_are_all_quotas(rules: PoolRules) -> bool:
    return all(sum(quota.min for quota in team.roles) >= team.max_players for team in rules.teams)


def _attribute_flaws(player: Player, path: str, rule: Rule, given: Collection[str]) -> Iterator[InvalidTicketError]:
    """What the attribute that a rule looks at must be. A preference, or a rule for some teams only, can do without it; so can who has a default.

    Args:
        given: attributes for which the pool has a default.
    """
    if isinstance(rule, TeamComparisonRule):
        yield from _number_flaws(player, path, rule)
    if not isinstance(rule, ComparisonRule | IntersectionRule | DistanceRule | TeamDistanceRule):
        return
    if rule.attribute == "rating" and not isinstance(rule, IntersectionRule):
        return
    value = player.attributes.get(rule.attribute)
    at = f"{path}.attributes.{rule.attribute}"
    if value is None:
        if rule.weight is None and rule.attribute not in given and not (isinstance(rule, ComparisonRule) and rule.teams):
            yield InvalidTicketError(at, f"is missing; the rule `{rule.name}` needs it", "missing_attribute")
    elif problem := _wrong_type(value, rule):
        yield InvalidTicketError(at, f"{problem} the rule `{rule.name}`", "invalid_attribute")


def _wrong_type(value: object, rule: ComparisonRule | IntersectionRule | DistanceRule | TeamDistanceRule) -> str:
    """What is wrong with an attribute's type; empty if nothing is."""
    if isinstance(rule, DistanceRule | TeamDistanceRule):
        return "" if _is_number(value) else "must be a finite number for"
    if isinstance(rule, IntersectionRule):
        words = value if isinstance(value, list) else [value]
        return "" if all(isinstance(item, str) for item in words) else "must be a list of words for"
    if not isinstance(value, str) and not _is_number(value):
        return "must be a word or a finite number for"
    if rule.operator not in {"=", "!="} and rule.value is not None and isinstance(value, str) != isinstance(rule.value, str):
        return f"cannot be compared ({rule.operator}) with the value of"
    return ""


def _number_flaws(player: Player, path: str, rule: TeamComparisonRule) -> Iterator[InvalidTicketError]:
    """Which of the two attributes counts depends on the team, so either may be missing."""
    for name in sorted({rule.attribute, rule.other_attribute} - {"rating"}):
        if player.attributes.get(name) is not None and not _is_number(player.attributes[name]):
            yield InvalidTicketError(
                f"{path}.attributes.{name}", f"must be a finite number for the rule `{rule.name}`", "invalid_attribute"
            )


def _missing_latencies(ticket: Ticket, rules: PoolRules) -> Iterator[InvalidTicketError]:
    """For the gateway only: in the store such a ticket waits, because the rule may give way with time."""
    for rule in rules.rules:
        if isinstance(rule, LatencyRule) and rule.weight is None and rule.on_missing == "reject":
            for i, player in enumerate(ticket.players):
                if ticket.region not in player.latency:
                    yield InvalidTicketError(
                        f"players[{i}].latency.{ticket.region}", f"is missing; the rule `{rule.name}` needs it", "missing_latency"
                    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and _finite(value)


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= LARGEST_NUMBER  # so NaN is not; nor does an integer beyond all floats raise
