"""The `Satisfiable` lint: what in a pool can never match, or contradicts itself, found without a single ticket.

`load_pool` refuses what is no pool at all. The lint looks at pools that load, and asks whether a full match can be formed, whether
everything written has an effect, and whether it takes effect while tickets live. It is static: what depends on who plays is the
simulator's to show. Errors mean that some promise of the pool cannot hold; warnings, that it is hardly meant so.
"""

from collections.abc import Iterator

from .lint import Finding, check_expansions, error, steps_of, warning
from .pool import (
    AvoidRecentOpponentsRule,
    BlocklistRule,
    ComparisonRule,
    CountRule,
    DistanceRule,
    IntersectionRule,
    LatencyRule,
    PartyRule,
    PoolRules,
    Rule,
    Team,
    TeamComparisonRule,
    TeamDistanceRule,
    TeamSizeRule,
)
from .satisfiable_attributes import check_attributes

UNLIMITED_ROLE = 1000  # `RoleQuota.max` where the manifest says nothing

__all__ = ["Finding", "lint"]


def lint(rules: PoolRules) -> tuple[Finding, ...]:
    """Everything that is wrong with a pool's rules, in the order of the manifest's sections; errors and warnings mixed."""
    checks = (
        _check_regions,
        _check_teams,
        _check_party,
        _check_rating,
        check_attributes,
        _check_rules,
        _check_contradictions,
        check_expansions,
        _check_times,
        _check_session,
    )
    return tuple(finding for check in checks for finding in check(rules))


def _check_regions(rules: PoolRules) -> Iterator[Finding]:
    neighbors = {region.name: region.neighbors for region in rules.regions}
    for i, region in enumerate(rules.regions):
        for j, name in enumerate(region.neighbors):
            if region.name not in neighbors[name]:
                yield warning(
                    f"spec.regions[{i}].neighbors[{j}]",
                    f"`{region.name}` may spill to `{name}`, but not the other way",
                    f"add `{region.name}` to the neighbors of `{name}`, unless one way is meant",
                )
        if region.neighbors and region.spill_after >= rules.ticket.ttl:
            yield error(
                f"spec.regions[{i}].spillAfter",
                f"is {region.spill_after}, when tickets have expired (spec.ticket.ttl is {rules.ticket.ttl})",
                "spill earlier, raise spec.ticket.ttl, or remove the neighbors",
            )


def _check_teams(rules: PoolRules) -> Iterator[Finding]:
    names = {rule.name for rule in rules.rules}
    for i, team in enumerate(rules.teams):
        path = f"spec.teams[{i}]"
        if team.name in names:
            yield error(f"{path}.name", f"`{team.name}` is a rule's name too; expansions cannot tell them apart", "rename one of them")
        yield from _check_roles(path, team)


def _check_roles(path: str, team: Team) -> Iterator[Finding]:
    seen: set[str] = set()
    for j, role in enumerate(team.roles):
        if role.name in seen:
            yield error(f"{path}.roles[{j}]", f"`{role.name}` is there twice", "make one quota of the two")
        seen.add(role.name)
        if role.weight is not None and role.min == 0 and role.max >= team.max_players:
            yield warning(f"{path}.roles[{j}].weight", "weighs a quota that every team keeps", "give `min` or `max`, or remove the role")
    hard = [role for role in team.roles if role.weight is None]
    wanted = sum(role.min for role in hard)
    if wanted > team.max_players:
        yield error(
            f"{path}.roles",
            f"the roles need {wanted} players, the team takes {team.max_players}: no team can be filled",
            f"lower the roles' minima to {team.max_players} in all, or raise maxPlayers",
        )
    elif wanted > team.min_players:
        yield warning(f"{path}.minPlayers", f"the roles need {wanted} players already", f"write minPlayers: {wanted}")
    allowed = sum(role.max for role in hard)
    if len(hard) > 1 and all(role.max < UNLIMITED_ROLE for role in hard) and allowed < team.min_players:
        yield warning(
            f"{path}.roles",
            f"the roles admit {allowed} players together, the team needs {team.min_players}: the others must come without these roles",
            "raise the roles' maxima, or name the missing role",
        )


def _check_party(rules: PoolRules) -> Iterator[Finding]:
    smallest = min(team.max_players for team in rules.teams)
    for i, rule in enumerate(rules.rules):
        if not isinstance(rule, PartyRule):
            continue
        path = f"spec.rules[{i}]"
        if rule.largest is None and rule.max_size_difference is None:
            yield warning(path, "says nothing", "give `largest` or `maxSizeDifference`")
        if rule.largest is not None and rule.largest < rules.party.max_size and _hard_for_good(rules, rule, "largest"):
            yield error(
                f"{path}.largest",
                f"parties of up to {rules.party.max_size} may queue, but none over {rule.largest} can ever be matched",
                f"write spec.party.maxSize: {rule.largest}, or let the rule expand",
            )
        difference = rule.max_size_difference
        if difference is not None and smallest <= difference and rule.largest is None:
            yield warning(f"{path}.maxSizeDifference", "is never exceeded in teams so small", "lower it, or remove the rule")


def _check_rating(rules: PoolRules) -> Iterator[Finding]:
    sigma = rules.rating.initial.sigma
    if rules.rating.system == "glicko2" and not 50 <= sigma <= 1000:
        yield warning(
            "spec.rating.initial.sigma",
            f"Glicko-2 counts in points where 400 mean odds of ten to one; {sigma:g} is no deviation of a new player there",
            "write initial: {mu: 1500, sigma: 350}, or use openskill, which has no fixed scale",
        )


def _check_rules(rules: PoolRules) -> Iterator[Finding]:
    seen: dict[object, str] = {}
    for i, rule in enumerate(rules.rules):
        path = f"spec.rules[{i}]"
        key = _same_subject(rule)
        if key in seen:
            yield warning(path, f"looks at the same thing as `{seen[key]}`", "keep the stricter of the two")
        seen.setdefault(key, rule.name)
        yield from _check_rule(path, rule, rules)


def _check_rule(path: str, rule: Rule, rules: PoolRules) -> Iterator[Finding]:
    if isinstance(rule, ComparisonRule):
        yield from _check_comparison(path, rule)
    elif isinstance(rule, LatencyRule):
        yield from _check_latency(path, rule, rules)
    elif isinstance(rule, DistanceRule | TeamDistanceRule):
        yield from _check_distance(path, rule, rules)
    elif isinstance(rule, CountRule):
        yield from _check_count(path, rule, rules)
    elif isinstance(rule, TeamSizeRule):
        yield from _check_sizes(path, rule, rules)
    elif isinstance(rule, TeamComparisonRule):
        if (rule.team, rule.attribute, rule.of) == (rule.other_team, rule.other_attribute, rule.other_of):
            yield warning(path, "compares a team with itself", "name another team, or another attribute")
    elif isinstance(rule, AvoidRecentOpponentsRule):
        if rule.release_after >= rules.ticket.ttl and _hard_for_good(rules, rule, "releaseAfter"):
            yield error(
                f"{path}.releaseAfter",
                f"comes after the ticket's end ({rules.ticket.ttl}): two players alone in a queue never meet again",
                f"release before {rules.ticket.ttl}",
            )
    elif isinstance(rule, BlocklistRule) and rule.weight is not None:
        yield warning(
            f"{path}.weight",
            "makes it a preference: blocked players can meet where it costs less than waiting",
            "remove the weight, unless that is meant",
        )


def _same_subject(rule: Rule) -> object:
    if isinstance(rule, ComparisonRule):
        return (type(rule), rule.attribute, rule.teams, rule.operator)
    if isinstance(rule, CountRule):
        return (type(rule), rule.attribute, rule.value, rule.teams)
    if isinstance(rule, TeamSizeRule):
        return (type(rule), rule.teams)
    if isinstance(rule, TeamComparisonRule):
        return rule.name
    if isinstance(rule, DistanceRule):
        return (type(rule), rule.attribute, rule.around)
    if isinstance(rule, TeamDistanceRule | IntersectionRule):
        return (type(rule), rule.attribute)
    return type(rule)


def _check_comparison(path: str, rule: ComparisonRule) -> Iterator[Finding]:
    if rule.operator in {"<", "<=", ">", ">="} and not isinstance(rule.value, float | int):
        said = "nothing" if rule.value is None else f"the text `{rule.value}`"
        yield error(f"{path}.value", f"`{rule.operator}` needs a number to compare with, got {said}", "give a number, or use `=` or `!=`")


def _concerned(rules: PoolRules, names: tuple[str, ...]) -> list[Team]:
    return [team for team in rules.teams if not names or team.name in names]


def _check_count(path: str, rule: CountRule, rules: PoolRules) -> Iterator[Finding]:
    places = min(team.max_players for team in _concerned(rules, rule.teams)) if rule.teams else rules.max_match_players
    where = "a team" if rule.teams else "a match"
    if rule.max is not None and rule.min > rule.max and _hard_for_good(rules, rule, "min") and _hard_for_good(rules, rule, "max"):
        yield error(f"{path}.min", f"is over max ({rule.max}): no match keeps both", "lower `min`, or raise `max`")
    if rule.min > places and _hard_for_good(rules, rule, "min"):
        yield error(f"{path}.min", f"{rule.min} are needed, and {where} has {places} places", f"write {places} or less")
    if rule.min == 0 and (rule.max is None or rule.max >= places):
        yield warning(path, f"says nothing: {where} has {places} places", "give `min` or `max`, or remove the rule")


def _check_sizes(path: str, rule: TeamSizeRule, rules: PoolRules) -> Iterator[Finding]:
    teams = _concerned(rules, rule.teams)
    if sum(team.quantity for team in teams) == 1:
        yield warning(path, "compares teams, and it concerns only one", "name another team, or remove the rule")
    apart = max(team.min_players for team in teams) - min(team.max_players for team in teams)
    shrink = any(step.target.endswith(".minPlayers") for step in rules.expansions.steps)
    if apart > rule.max_difference and not shrink and _hard_for_good(rules, rule, "maxDifference"):
        yield error(
            f"{path}.maxDifference", f"the teams' own sizes are {apart} apart at least", f"write {apart} or more, or let the sizes meet"
        )
    if all(team.min_players == team.max_players == teams[0].max_players for team in teams):
        yield warning(path, "is always kept: the teams are of one size", "remove the rule")


def _check_latency(path: str, rule: LatencyRule, rules: PoolRules) -> Iterator[Finding]:
    if rule.max_latency_ms == 0 and _hard_for_good(rules, rule, "maxLatencyMs"):
        yield error(f"{path}.maxLatencyMs", "is 0: nobody's packets travel in no time", "80 to 150 is usual")
    if rule.max_spread_ms is not None and rule.max_spread_ms > rule.max_latency_ms:
        yield warning(
            f"{path}.maxSpreadMs",
            f"is over maxLatencyMs ({rule.max_latency_ms:g}), so it never decides",
            "lower it, or remove it",
        )


def _check_distance(path: str, rule: DistanceRule | TeamDistanceRule, rules: PoolRules) -> Iterator[Finding]:
    teams = sum(team.quantity for team in rules.teams)
    if isinstance(rule, TeamDistanceRule):
        if teams == 1:
            yield warning(path, "balances teams, and there is only one", "use `distance`")
        return
    if rule.max_distance == 0 and rule.attribute == "rating" and not rule.uncertainty and _hard_for_good(rules, rule, "maxDistance"):
        yield error(f"{path}.maxDistance", "is 0: only players of exactly the same rating can meet", "widen it, or add an expansion")
    if rule.uncertainty and rule.attribute != "rating":
        yield warning(f"{path}.uncertainty", f"only ratings have a deviation; `{rule.attribute}` has none", "remove it")
    if rule.around == "team" and all(team.max_players == 1 for team in rules.teams):
        yield warning(f"{path}.around", "a team of one is always at its own average", "write around: match")


def _hard_for_good(rules: PoolRules, rule: Rule, field: str) -> bool:
    """Whether a rule is neither a preference nor ever loosened by an expansion of that field (or of the whole rule)."""
    return rule.weight is None and not steps_of(rules, f"{rule.name}.{field}") and not steps_of(rules, f"{rule.name}.weight")


def _check_contradictions(rules: PoolRules) -> Iterator[Finding]:
    """Hard comparisons with numbers, of the same attribute and team, must leave a value that keeps them all."""
    for team in rules.teams:
        bounds: dict[str, tuple[float, float, str]] = {}
        for i, rule in enumerate(rules.rules):
            if not isinstance(rule, ComparisonRule) or not isinstance(rule.value, float | int) or not _hard_for_good(rules, rule, "value"):
                continue
            if (rule.teams and team.name not in rule.teams) or rule.operator == "!=":
                continue
            low, high, by = bounds.get(rule.attribute, (float("-inf"), float("inf"), ""))
            value = float(rule.value)
            low = max(low, value) if rule.operator in {"=", ">", ">="} else low
            high = min(high, value) if rule.operator in {"=", "<", "<="} else high
            if low > high:
                yield error(
                    f"spec.rules[{i}].value",
                    f"no `{rule.attribute}` keeps both this and `{by}` in team `{team.name}`",
                    "let the two leave a common value, or give them different teams",
                )
            bounds[rule.attribute] = (low, high, rule.name)


def _check_times(rules: PoolRules) -> Iterator[Finding]:
    ttl, priority = rules.ticket.ttl, rules.priority
    if rules.ticket.reconnect_grace >= ttl:
        yield warning("spec.ticket.reconnectGrace", f"is not under the ttl ({ttl}), which ends the ticket first", "lower it")
    if priority.starvation_bound > ttl:
        yield warning(
            "spec.priority.starvationBound",
            f"is {priority.starvation_bound}, but tickets expire at {ttl}: nobody is ever protected by it",
            f"write something under {ttl}",
        )
    for name, start in (
        ("requeuedHeadStart", priority.requeued_head_start),
        ("backfillHeadStart", priority.backfill_head_start),
        ("newcomerHeadStart", priority.newcomer_head_start),
    ):
        if start > priority.starvation_bound:
            yield warning(
                f"spec.priority.{name}",
                f"is over starvationBound ({priority.starvation_bound}): such tickets count as starving from the start",
                "lower the head start, or raise the bound",
            )
    if rules.slo.wait_p95 > ttl:
        yield warning(
            "spec.slo.waitP95", f"is over the ttl ({ttl}): tickets expire before the promise is broken", f"promise less than {ttl}"
        )
    if rules.scaling.idle_timeout >= rules.scaling.lifetime:
        yield warning(
            "spec.scaling.idleTimeout",
            f"is not under lifetime ({rules.scaling.lifetime}), so a matcher never ends for idleness",
            "lower it, or raise lifetime",
        )


def _check_session(rules: PoolRules) -> Iterator[Finding]:
    cooldowns = rules.acceptance.cooldowns
    for i in range(1, len(cooldowns)):
        if cooldowns[i] < cooldowns[i - 1]:
            yield warning(
                f"spec.acceptance.cooldowns[{i}]", "is shorter than the one before it", "let repeated declines cost more, not less"
            )
    if rules.backfill.mode != "off" and rules.backfill.min_remaining >= rules.session.max_duration:
        yield warning(
            "spec.backfill.minRemaining",
            f"is not under spec.session.maxDuration ({rules.session.max_duration}): no session is ever filled up",
            "lower it, or write mode: off",
        )
    allocation = rules.allocation
    if allocation.type == "webhook" and not allocation.url:
        yield error("spec.allocation.url", "a webhook needs an address", "give the URL that allocates a server")
    if allocation.type == "agones" and not allocation.fleet:
        yield error("spec.allocation.fleet", "Agones allocates from a fleet", "give the fleet's name")
