"""What a `MatchmakingPool` says: the one source of truth for the manifest, the compiled rules and the docs.

Every field has its bounds here. Names in YAML are camelCase; times are `Duration` (seconds, written `15s`).
`load_pool` reads a manifest and checks what a schema cannot see: names that refer to one another.
"""

import re
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct, field

from .duration import Duration
from .errors import InvalidPoolError

API_VERSION = "gamesessions.dev/v1alpha1"
KIND = "MatchmakingPool"

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

Name: TypeAlias = Annotated[
    str, Meta(pattern=NAME_PATTERN, min_length=1, max_length=63, description="Lower-case letters, digits and dashes (RFC 1123 label).")
]
RuleName: TypeAlias = Annotated[str, Meta(pattern=r"^[a-zA-Z]([-_a-zA-Z0-9]*[a-zA-Z0-9])?$", max_length=40)]
Attribute: TypeAlias = Annotated[
    str, Meta(pattern=r"^[a-zA-Z][-_a-zA-Z0-9]*$", max_length=40, description="`rating`, or a key of the player's attributes.")
]
Distance: TypeAlias = Annotated[float, Meta(ge=0, le=1e9)]
Milliseconds: TypeAlias = Annotated[float, Meta(ge=0, le=10_000)]
Weight: TypeAlias = Annotated[
    float,
    Meta(gt=0, le=1000, description="Makes the rule a preference: what a violation costs against other rules. Absent: the rule is hard."),
]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=1000)]


class Spec(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Base of everything in a manifest: camelCase, immutable, unknown fields refused."""


class Region(Spec, frozen=True, kw_only=True):
    """Where matches are played; a ticket may spill to `neighbors` once it has waited `after`.

    Attributes:
        name: what players ask for, for example `eu-west`.
        neighbors: regions of this pool to which a ticket may spill.
        spill_after: the waiting time after which it does.
    """

    name: Name
    neighbors: Annotated[tuple[Name, ...], Meta(max_length=16)] = ()
    spill_after: Duration = Duration(30)


class RoleQuota(Spec, frozen=True, kw_only=True):
    """How many players of a role a team must have, and may have.

    Attributes:
        name: the role, as players name it.
        min: players of this role that each team must have.
        max: players of this role that each team may have.
        weight: makes the quota a preference; absent, it is hard.
    """

    name: Name
    min: Annotated[int, Meta(ge=0, le=1000)] = 0
    max: Count = 1000
    weight: Weight | None = None


class Team(Spec, frozen=True, kw_only=True):
    """A kind of team: `quantity` of them take part in each match.

    Attributes:
        name: what the team is called in matches and expansions.
        quantity: teams of this kind in each match.
        min_players: the fewest players of a team.
        max_players: the most players of a team.
        roles: quotas of roles within each team.
    """

    name: Name
    quantity: Annotated[int, Meta(ge=1, le=100)] = 1
    min_players: Count = 1
    max_players: Count = 1
    roles: Annotated[tuple[RoleQuota, ...], Meta(max_length=16)] = ()


class Party(Spec, frozen=True, kw_only=True):
    """Who may queue together, and how a party's number is made of its players' numbers.

    Attributes:
        max_size: the most players of a party; it must fit into a team.
        rating_aggregation: how a party's rating is made of its players'.
    """

    max_size: Count = 1
    rating_aggregation: Literal["average", "max", "min"] = "average"


class AttributeDefault(Spec, frozen=True, kw_only=True):
    """What an attribute is for players who bring none of that name: a number, a word or a list of words.

    Attributes:
        name: the attribute's name; `rating` has its start in `spec.rating.initial`.
        number: the default, if it is a number.
        word: the default, if it is a word.
        words: the default, if it is a list of words.
    """

    name: Attribute
    number: Annotated[float, Meta(ge=-1e9, le=1e9)] | None = None
    word: Annotated[str, Meta(max_length=100)] | None = None
    words: Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(max_length=64)] | None = None

    @property
    def value(self) -> float | str | list[str]:
        """The default itself."""
        if self.number is not None:
            return self.number
        return self.word if self.word is not None else list(self.words or ())


class InitialRating(Spec, frozen=True, kw_only=True):
    """The belief about a player's skill before the first match: a normal distribution.

    Attributes:
        mu: the mean.
        sigma: the standard deviation.
    """

    mu: Annotated[float, Meta(gt=0, le=1e6)] = 1500.0
    sigma: Annotated[float, Meta(gt=0, le=1e6)] = 500.0


class Rating(Spec, frozen=True, kw_only=True):
    """Which rating system a pool uses.

    Attributes:
        system: `openskill` (Plackett-Luce) or `glicko2`.
        initial: a new player's rating.
    """

    system: Literal["openskill", "glicko2"] = "openskill"
    initial: InitialRating = InitialRating()


class RuleBase(Spec, tag_field="type", frozen=True, kw_only=True):
    """A condition on a candidate match. Without `weight` it is hard; with it, a preference.

    Attributes:
        name: what expansions and explanations call the rule; unique in the pool.
        weight: makes the rule a preference: what a violation costs against other rules. Absent, the rule is hard.
    """

    name: RuleName
    weight: Weight | None = None


class DistanceRule(RuleBase, tag="distance", frozen=True, kw_only=True):
    """Each ticket's number stays within `maxDistance` of the average of the match (or of its team).

    In a match of two tickets the distance is between the two. `uncertainty` widens a ticket's window by so many
    of its rating deviations (sigma).

    Attributes:
        attribute: `rating`, or a key of the players' attributes.
        max_distance: the widest distance allowed.
        around: the average that distances are taken from: the match's or the team's.
        uncertainty: widens a ticket's window by so many of its rating deviations (sigma).
    """

    attribute: Attribute = "rating"
    max_distance: Distance
    around: Literal["match", "team"] = "match"
    uncertainty: Annotated[float, Meta(ge=0, le=10)] = 0.0


class TeamDistanceRule(RuleBase, tag="teamDistance", frozen=True, kw_only=True):
    """The teams' averages differ by at most `maxDistance`.

    Attributes:
        attribute: `rating`, or a key of the players' attributes.
        max_distance: the widest distance allowed.
    """

    attribute: Attribute = "rating"
    max_distance: Distance


class ComparisonRule(RuleBase, tag="comparison", frozen=True, kw_only=True):
    """Each player's attribute compares with `value`; without `value`, all players' are equal (`=`) or all differ (`!=`).

    Attributes:
        attribute: `rating`, or a key of the players' attributes.
        operator: how the attribute compares with `value`.
        value: what to compare with; absent, the players' values are compared with each other.
        teams: the teams that the rule looks at; empty, all of them.
    """

    attribute: Attribute
    operator: Literal["=", "!=", "<", "<=", ">", ">="] = "="
    value: float | Annotated[str, Meta(max_length=100)] | None = None
    teams: Annotated[tuple[Name, ...], Meta(max_length=16)] = ()


class TeamComparisonRule(RuleBase, tag="teamComparison", frozen=True, kw_only=True):
    """One team's number compares with another team's: the monster's rating reaches the highest that a hunter asks for.

    Attributes:
        team: the team whose number stands on the left of the operator.
        attribute: `rating`, or a key of the players' attributes.
        of: how the team's number is made of its players'.
        operator: how the two numbers must compare.
        other_team: the team whose number stands on the right.
        other_attribute: the other team's attribute.
        other_of: how the other team's number is made of its players'.
    """

    team: Name
    attribute: Attribute = "rating"
    of: Literal["average", "max", "min", "sum"] = "average"
    operator: Literal["=", "!=", "<", "<=", ">", ">="] = ">="
    other_team: Name
    other_attribute: Attribute = "rating"
    other_of: Literal["average", "max", "min", "sum"] = "average"


class TeamSizeRule(RuleBase, tag="teamSize", frozen=True, kw_only=True):
    """The teams (or those named) differ by at most `maxDifference` players; 0 makes them equal.

    Attributes:
        max_difference: by how many players the largest may exceed the smallest.
        teams: the teams that it concerns; all if empty.
    """

    max_difference: Annotated[int, Meta(ge=0, le=1000)] = 0
    teams: Annotated[tuple[Name, ...], Meta(max_length=16)] = ()


class CountRule(RuleBase, tag="count", frozen=True, kw_only=True):
    """From `min` to `max` players in the match (or in each of `teams`) have `value` as their attribute, or in its list.

    Attributes:
        attribute: a key of the players' attributes.
        value: what is counted: a number, or a word.
        min: the fewest.
        max: the most; no limit if absent.
        teams: the teams in each of which is counted; the whole match if empty.
    """

    attribute: Attribute
    value: float | Annotated[str, Meta(max_length=100)]
    min: Annotated[int, Meta(ge=0, le=1000)] = 0
    max: Annotated[int, Meta(ge=0, le=1000)] | None = None
    teams: Annotated[tuple[Name, ...], Meta(max_length=16)] = ()


class IntersectionRule(RuleBase, tag="intersection", frozen=True, kw_only=True):
    """The players' sets (maps, modes, languages) have at least `minCount` values in common.

    Attributes:
        attribute: a key of the players' attributes; lists of words.
        min_count: the fewest values in common.
    """

    attribute: Attribute
    min_count: Count = 1


class LatencyRule(RuleBase, tag="latency", frozen=True, kw_only=True):
    """Some region of the match is within `maxLatencyMs` for every player, and the players' values spread at most `maxSpreadMs`.

    Attributes:
        max_latency_ms: the longest round trip of any player, milliseconds.
        max_spread_ms: the widest spread of the players' round trips, milliseconds; absent, any.
        on_missing: what to do with players who have not measured.
    """

    max_latency_ms: Milliseconds
    max_spread_ms: Milliseconds | None = None
    on_missing: Literal["reject", "ignore"] = "reject"


class AvoidRecentOpponentsRule(RuleBase, tag="avoidRecentOpponents", frozen=True, kw_only=True):
    """Nobody meets one of the last `lastMatches` opponents again, until one of the two tickets has waited `releaseAfter`.

    Attributes:
        last_matches: how many of the latest opponents to avoid.
        release_after: the waiting time after which they may meet again.
    """

    last_matches: Annotated[int, Meta(ge=1, le=50)] = 5
    release_after: Duration = Duration(60)


class BlocklistRule(RuleBase, tag="blocklist", frozen=True, kw_only=True):
    """Nobody is put in a match with a player whom they have blocked."""


class PartyRule(RuleBase, tag="party", frozen=True, kw_only=True):
    """Parties meet parties: opposing teams' largest parties differ by at most `maxSizeDifference`; none exceeds `largest`.

    Attributes:
        max_size_difference: how far opposing teams' largest parties may differ; absent, any.
        largest: the largest party that is matched; absent, any.
    """

    max_size_difference: Annotated[int, Meta(ge=0, le=1000)] | None = None
    largest: Count | None = None


Rule: TypeAlias = (
    DistanceRule
    | TeamDistanceRule
    | ComparisonRule
    | TeamComparisonRule
    | TeamSizeRule
    | CountRule
    | IntersectionRule
    | LatencyRule
    | AvoidRecentOpponentsRule
    | BlocklistRule
    | PartyRule
)

Target: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[a-zA-Z0-9][-_a-zA-Z0-9]*(\.[a-zA-Z0-9][-_a-zA-Z0-9]*){0,2}$",
        max_length=150,
        description="`rule.field` (`skill.maxDistance`, `skill.weight`), `team.minPlayers` or `team.role.min`; with `disable` a rule, or `team.role`.",
    ),
]


class Expansion(Spec, frozen=True, kw_only=True):
    """One widening: at age `after` to `value`; or each `every` by `by` up to `limit`; or, at `after`, the rule is disabled.

    Attributes:
        target: what gives way.
        after: the age at which the step takes effect (with `every`: after which the first one counts).
        value: the new value.
        every: how often `by` is added.
        by: what is added each time.
        limit: where adding ends.
        disable: whether the rule is dropped.
    """

    target: Target
    after: Duration = Duration(0)
    value: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    every: Duration | None = None
    by: Annotated[float, Meta(ge=-1e9, le=1e9)] | None = None
    limit: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    disable: bool = False


class Expansions(Spec, frozen=True, kw_only=True):
    """How rules give way with waiting time; `ageSelection` says whose age counts in a candidate match.

    Attributes:
        age_selection: whose waiting time counts in a candidate match.
        steps: applied in this order, each to what the earlier ones left.
    """

    age_selection: Literal["oldest", "newest", "average"] = "oldest"
    steps: Annotated[tuple[Expansion, ...], Meta(max_length=64)] = ()


class TicketLife(Spec, frozen=True, kw_only=True):
    """How long a ticket may wait, and how long its place is kept for a disconnected player.

    Attributes:
        ttl: the longest wait; then the ticket expires, and its players are told.
        reconnect_grace: how long the place of a disconnected player is kept.
    """

    ttl: Duration = Duration(300)
    reconnect_grace: Duration = Duration(30)


class Priority(Spec, frozen=True, kw_only=True):
    """Bounded head starts in waiting time, and the age at which a ticket is matched with the best that its hard rules allow.

    Attributes:
        requeued_head_start: for players whose match fell through without their fault.
        backfill_head_start: for running sessions that look for players.
        newcomer_head_start: for players in their first matches.
        starvation_bound: the age from which a ticket comes before all others, and gets the best match that its hard rules allow.
    """

    requeued_head_start: Duration = Duration(30)
    backfill_head_start: Duration = Duration(60)
    newcomer_head_start: Duration = Duration(0)
    starvation_bound: Duration = Duration(180)


class Acceptance(Spec, frozen=True, kw_only=True):
    """The ready check after a match was found.

    Attributes:
        required: whether each player must accept a match.
        timeout: how long they have.
        cooldowns: how long who declines may not queue: first time, second time, and so on.
    """

    required: bool = False
    timeout: Duration = Duration(20)
    cooldowns: Annotated[tuple[Duration, ...], Meta(max_length=16)] = (Duration(0), Duration(300), Duration(1800))


class Backfill(Spec, frozen=True, kw_only=True):
    """Whether a running session that loses a player asks for another one.

    Attributes:
        mode: by itself, on request of the session, or never.
        min_remaining: how much play must be left for it to be worthwhile.
    """

    mode: Literal["auto", "manual", "off"] = "manual"
    min_remaining: Duration = Duration(120)


class SessionLife(Spec, frozen=True, kw_only=True):
    """Limits of a session after its players accepted.

    Attributes:
        ready_timeout: how long a server and its players have to be there.
        max_duration: the longest a session lives.
        reconnect_grace: how long a player may be away before the session counts them as gone.
    """

    ready_timeout: Duration = Duration(30)
    max_duration: Duration = Duration(2700)
    reconnect_grace: Duration = Duration(60)


class Allocation(Spec, frozen=True, kw_only=True):
    """Who provides the game server.

    Attributes:
        type: nobody, a webhook, or Agones.
        url: the webhook.
        fleet: Agones' fleet.
    """

    type: Literal["none", "webhook", "agones"] = "none"
    url: Annotated[str, Meta(max_length=2000)] | None = None
    fleet: Name | None = None


class Scaling(Spec, frozen=True, kw_only=True):
    """How many matcher jobs run for how many waiting tickets.

    Attributes:
        min_matchers: matchers that run whatever waits, in each region.
        max_matchers: the most matchers in each region.
        tickets_per_matcher: waiting tickets for which one more matcher is started.
        polling_interval: how often the queues' lengths are read; whole seconds.
        idle_timeout: how long a matcher stays with nothing to match.
        lifetime: the longest that a matcher runs; another one takes over.
    """

    min_matchers: Annotated[int, Meta(ge=0, le=100)] = 0
    max_matchers: Annotated[int, Meta(ge=1, le=100)] = 8
    tickets_per_matcher: Annotated[int, Meta(ge=1, le=1_000_000)] = 5000
    polling_interval: Duration = Duration(1)
    idle_timeout: Duration = Duration(20)
    lifetime: Duration = Duration(600)


class Slo(Spec, frozen=True, kw_only=True):
    """What the pool promises: 95 of 100 tickets are matched within `waitP95`.

    Attributes:
        wait_p95: 95 of 100 tickets are matched within it.
    """

    wait_p95: Duration = field(default=Duration(60), name="waitP95")


class Dashboards(Spec, frozen=True, kw_only=True):
    """Whether and where the operator puts the pool's dashboard.

    Attributes:
        enabled: whether the pool has a dashboard.
        folder: Grafana's folder for it.
    """

    enabled: bool = True
    folder: Annotated[str, Meta(max_length=100)] = "matchmaking"


class Alerts(Spec, frozen=True, kw_only=True):
    """Whether the operator writes the pool's alerts.

    Attributes:
        enabled: whether the pool has alerts (where the API of PrometheusRule exists).
    """

    enabled: bool = True


class Recording(Spec, frozen=True, kw_only=True):
    """Whether matchers record tickets and matches, for `matchmaking replay`. Players' names are hashed under a key that nobody keeps.

    Attributes:
        enabled: whether this pool is recorded, where the installation has a place for it.
    """

    enabled: bool = False


class PoolRules(Spec, frozen=True, kw_only=True):
    """A pool's spec: what `find_matches` and everything around it obey.

    Attributes:
        regions: where matches are played; each region has queues of its own.
        modes: kinds of play; each mode has queues of its own in each region.
        teams: who plays against whom.
        party: who may queue together.
        rating: how skill is measured.
        attributes: what attributes are for players who do not bring them.
        rules: what a match must keep (hard), or should keep (with `weight`).
        expansions: how rules give way with waiting time.
        ticket: how long tickets live.
        priority: who comes first.
        acceptance: the ready check.
        backfill: filling up running sessions.
        session: limits of sessions.
        allocation: who provides game servers.
        scaling: how many matchers run.
        slo: what the pool promises.
        dashboards: the pool's dashboard.
        alerts: the pool's alerts.
        recording: a record of tickets and matches, for `matchmaking replay`.
        suspend: takes no new tickets and makes no matches while true.
    """

    regions: Annotated[tuple[Region, ...], Meta(min_length=1, max_length=64)]
    modes: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=16)]
    teams: Annotated[tuple[Team, ...], Meta(min_length=1, max_length=16)]
    party: Party = Party()
    rating: Rating = Rating()
    attributes: Annotated[tuple[AttributeDefault, ...], Meta(max_length=32)] = ()
    rules: Annotated[tuple[Rule, ...], Meta(max_length=32)] = ()
    expansions: Expansions = Expansions()
    ticket: TicketLife = TicketLife()
    priority: Priority = Priority()
    acceptance: Acceptance = Acceptance()
    backfill: Backfill = Backfill()
    session: SessionLife = SessionLife()
    allocation: Allocation = Allocation()
    scaling: Scaling = Scaling()
    slo: Slo = Slo()
    dashboards: Dashboards = Dashboards()
    alerts: Alerts = Alerts()
    recording: Recording = Recording()
    suspend: bool = False

    @property
    def min_match_players(self) -> int:
        """The fewest players that make a match."""
        return sum(team.quantity * team.min_players for team in self.teams)

    @property
    def max_match_players(self) -> int:
        """The most players that fit into a match."""
        return sum(team.quantity * team.max_players for team in self.teams)

    @property
    def min_match_tickets(self) -> int:
        """The fewest tickets that can make a match: the largest parties that a team and the pool admit, in teams that have given way as far as they do."""
        return sum(team.quantity * -(-self._smallest(team) // min(self.party.max_size, team.max_players)) for team in self.teams)

    def _smallest(self, team: Team) -> int:
        """A team's minimum once every expansion of it has taken effect."""
        steps = [step for step in self.expansions.steps if step.target == f"{team.name}.minPlayers"]
        ends = [step.value if step.every is None else step.limit for step in steps]
        return max(1, min([team.min_players, *(1 if end is None else int(end) for end in ends)]))

    def region(self, name: str) -> Region | None:
        """The region of that name, if the pool has it."""
        return next((region for region in self.regions if region.name == name), None)


class Metadata(Struct, frozen=True, kw_only=True):
    """The part of Kubernetes' object metadata that we read; everything else is the cluster's."""

    name: Name
    namespace: str | None = None


class MatchmakingPool(Struct, frozen=True, kw_only=True, rename="camel"):
    """A pool's manifest, the same for `matchmaking dev` and for the cluster."""

    api_version: Literal["gamesessions.dev/v1alpha1"]
    kind: Literal["MatchmakingPool"]
    metadata: Metadata
    spec: PoolRules

    @property
    def name(self) -> str:
        """The pool's name."""
        return self.metadata.name


def _decode_hook(kind: type, value: Any) -> Any:
    if kind is Duration:
        return Duration.parse(value)
    raise NotImplementedError(kind)


def _encode_hook(value: Any) -> Any:
    if isinstance(value, Duration):
        return str(value)
    raise NotImplementedError(type(value))


_LOCATION = re.compile(r"(?s)^(?P<what>.*?)(?: - at `\$?\.?(?P<path>[^`]*)`)?$")


def load_pool(manifest: Any) -> MatchmakingPool:
    """Read one manifest.

    Args:
        manifest: the decoded YAML or JSON document.

    Raises:
        InvalidPoolError: a field is unknown, out of its bounds or refers to nothing; its path says which.
    """
    try:
        pool = msgspec.convert(manifest, MatchmakingPool, dec_hook=_decode_hook)
    except msgspec.ValidationError as error:
        found = _LOCATION.match(str(error))
        what, path = (found["what"], found["path"] or "") if found else (str(error), "")
        raise InvalidPoolError(path, what) from error
    check_references(pool.spec)
    return pool


def decode_rules(data: bytes) -> PoolRules:
    """The rules from their compiled form (JSON), as `encode_rules` wrote them.

    Raises:
        InvalidPoolError: the data is not such a form.
    """
    try:
        return msgspec.json.decode(data, type=PoolRules, dec_hook=_decode_hook)
    except msgspec.MsgspecError as error:
        raise InvalidPoolError("", str(error)) from error


def encode_rules(rules: PoolRules) -> bytes:
    """The compiled form that gateways and matchers read from Redis: canonical JSON."""
    return msgspec.json.encode(rules, enc_hook=_encode_hook, order="deterministic")


def check_references(rules: PoolRules) -> None:
    """Check what the schema cannot see.

    Raises:
        InvalidPoolError: a name is used twice, or refers to nothing; a team's or a role's minimum is over its maximum.
    """
    _unique("spec.regions", [region.name for region in rules.regions])
    _unique("spec.modes", list(rules.modes))
    _unique("spec.teams", [team.name for team in rules.teams])
    _unique("spec.rules", [rule.name for rule in rules.rules])
    _check_attributes(rules)
    _check_named_teams(rules)
    regions = {region.name for region in rules.regions}
    for i, region in enumerate(rules.regions):
        for j, neighbor in enumerate(region.neighbors):
            if neighbor not in regions or neighbor == region.name:
                raise InvalidPoolError(
                    f"spec.regions[{i}].neighbors[{j}]",
                    f"`{neighbor}` is not another region of this pool; name one of {sorted(regions - {region.name})}",
                )
    for i, team in enumerate(rules.teams):
        if team.min_players > team.max_players:
            raise InvalidPoolError(f"spec.teams[{i}].minPlayers", f"{team.min_players} is over maxPlayers ({team.max_players})")
        for j, role in enumerate(team.roles):
            if role.min > role.max:
                raise InvalidPoolError(f"spec.teams[{i}].roles[{j}].min", f"{role.min} is over max ({role.max})")
    largest = max(team.max_players for team in rules.teams)
    if rules.party.max_size > largest:
        raise InvalidPoolError("spec.party.maxSize", f"a party of {rules.party.max_size} fits into no team; the largest takes {largest}")
    if rules.max_match_players < 2:
        raise InvalidPoolError("spec.teams", "a match needs at least two players; raise quantity or maxPlayers")
    if rules.scaling.min_matchers > rules.scaling.max_matchers:
        raise InvalidPoolError(
            "spec.scaling.minMatchers", f"{rules.scaling.min_matchers} is over maxMatchers ({rules.scaling.max_matchers})"
        )
    _check_expansions(rules)


def _check_attributes(rules: PoolRules) -> None:
    _unique("spec.attributes", [attribute.name for attribute in rules.attributes])
    for i, attribute in enumerate(rules.attributes):
        if sum(given is not None for given in (attribute.number, attribute.word, attribute.words)) != 1:
            raise InvalidPoolError(f"spec.attributes[{i}]", "give exactly one of `number`, `word`, `words`")
        if attribute.name == "rating":
            raise InvalidPoolError(f"spec.attributes[{i}].name", "the rating comes from the service; its start is `spec.rating.initial`")


def _check_named_teams(rules: PoolRules) -> None:
    names = [team.name for team in rules.teams]
    for i, rule in enumerate(rules.rules):
        said = [(f"teams[{j}]", name) for j, name in enumerate(getattr(rule, "teams", ()))]
        if isinstance(rule, TeamComparisonRule):
            said += [("team", rule.team), ("otherTeam", rule.other_team)]
        for field_name, name in said:
            if name not in names:
                raise InvalidPoolError(f"spec.rules[{i}].{field_name}", f"no team is called `{name}`; name one of {names}")


def _check_expansions(rules: PoolRules) -> None:
    names = {rule.name for rule in rules.rules} | {team.name for team in rules.teams}
    quotas = {f"{team.name}.{quota.name}" for team in rules.teams for quota in team.roles}
    for i, step in enumerate(rules.expansions.steps):
        path = f"spec.expansions.steps[{i}]"
        owner, _, attribute = step.target.partition(".")
        if owner not in names:
            raise InvalidPoolError(f"{path}.target", f"`{owner}` is neither a rule nor a team of this pool; name one of {sorted(names)}")
        quota = ".".join(step.target.split(".")[:2])
        of_team = any(team.name == owner for team in rules.teams)
        if (step.target.count(".") == 2 or (step.disable and attribute and of_team)) and quota not in quotas:
            raise InvalidPoolError(f"{path}.target", f"`{quota}` is no role of a team of this pool; name one of {sorted(quotas)}")
        kinds = (step.value is not None) + (step.every is not None) + step.disable
        if kinds != 1:
            raise InvalidPoolError(path, "give exactly one of `value`, `every` (with `by`), `disable: true`")
        if step.every is not None and (step.by is None or step.every <= 0):
            raise InvalidPoolError(f"{path}.every", "needs `by`, and must be longer than 0s")
        if not step.disable and (not attribute or step.target in quotas):
            raise InvalidPoolError(
                f"{path}.target", f"say which field of `{step.target}` changes, for example `maxDistance`, `minPlayers`, `min`"
            )


def _unique(path: str, names: list[str]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise InvalidPoolError(f"{path}[{i}]", f"`{name}` is there twice; names are unique")
