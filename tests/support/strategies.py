"""Hypothesis strategies for pools and tickets: small, crowded worlds, in which rules collide often."""

from typing import Any

from hypothesis import strategies as st

from matchmaking.core.pool import MatchmakingPool, PoolRules, load_pool
from matchmaking.core.ticket import BackfillSlots, Player, Ticket

NOW = 1_700_000_000.0
NAMES = [f"p{i}" for i in range(60)]
MAPS = ["dust", "ice", "keep"]


def rules_of(**spec: Any) -> PoolRules:
    """A pool's rules from a manifest's spec; regions, modes and 1v1 teams are filled in."""
    filled = {"regions": [{"name": "eu"}], "modes": ["ranked"], "teams": [{"name": "side", "quantity": 2}], **spec}
    manifest = {"apiVersion": "gamesessions.dev/v1alpha1", "kind": "MatchmakingPool", "metadata": {"name": "pool"}, "spec": filled}
    pool: MatchmakingPool = load_pool(manifest)
    return pool.spec


def lone(name: str, rating: float = 1500.0, age: float = 0.0, region: str = "eu", **player: Any) -> Ticket:
    """A ticket of one player."""
    return Ticket(f"t-{name}", region, "ranked", (Player(name, rating, **player),), NOW - age)


def party(name: str, *ratings: float, age: float = 0.0, **player: Any) -> Ticket:
    """A ticket of several players."""
    return Ticket(f"t-{name}", "eu", "ranked", tuple(Player(f"{name}{i}", r, **player) for i, r in enumerate(ratings)), NOW - age)


@st.composite
def players(draw: st.DrawFn, name: str) -> Player:
    """A sound player; opponents, blocks, roles and maps come from small sets, so that they matter."""
    others = st.lists(st.sampled_from(NAMES), max_size=3, unique=True)
    return Player(
        name,
        float(draw(st.integers(0, 40))) * 25.0,
        float(draw(st.sampled_from([10, 50, 100]))),
        {
            "maps": draw(st.lists(st.sampled_from(MAPS), min_size=1, max_size=3, unique=True)),
            "level": float(draw(st.integers(1, 4))),
            "platform": draw(st.sampled_from(["pc", "console"])),
        },
        draw(st.dictionaries(st.sampled_from(["eu", "us"]), st.sampled_from([20.0, 60.0, 90.0, 150.0]))),
        tuple(draw(others)),
        tuple(draw(others)) if draw(st.booleans()) else (),
        tuple(draw(st.lists(st.sampled_from(["tank", "healer", "other"]), max_size=2, unique=True))),
    )


@st.composite
def queues(draw: st.DrawFn, largest_party: int = 1, most: int = 14, regions: tuple[str, ...] = ("eu",)) -> list[Ticket]:
    """Sound tickets, each with players of its own."""
    sizes = draw(st.lists(st.integers(1, largest_party), max_size=most))
    tickets, used = [], 0
    for i, size in enumerate(sizes):
        members = tuple(draw(players(NAMES[(used + k) % len(NAMES)])) for k in range(size))
        used += size
        if used > len(NAMES):
            break
        tickets.append(
            Ticket(
                f"t{i}",
                draw(st.sampled_from(regions)),
                "ranked",
                members,
                NOW - draw(st.sampled_from([0, 5, 10, 20, 40, 61, 100, 200])),
                draw(st.sampled_from([0.0, 0.0, 15.0])),
            )
        )
    return tickets


def _maybe_weight(draw: st.DrawFn, rule: dict[str, Any]) -> dict[str, Any]:
    weight = draw(st.sampled_from([None, None, 1.0, 5.0]))
    return rule if weight is None else {**rule, "weight": weight}


@st.composite
def rule_lists(draw: st.DrawFn, teams: tuple[str, ...] = ("side",)) -> list[dict[str, Any]]:
    """Some of every type of rule, hard or as preferences."""
    menu: list[dict[str, Any]] = [
        {
            "name": "skill",
            "type": "distance",
            "maxDistance": draw(st.sampled_from([0, 50, 100, 300])),
            "around": draw(st.sampled_from(["match", "match", "team"])),
            "uncertainty": draw(st.sampled_from([0, 0, 1])),
        },
        {"name": "level", "type": "distance", "attribute": "level", "maxDistance": 1},
        {"name": "balance", "type": "teamDistance", "maxDistance": draw(st.sampled_from([0, 25, 100]))},
        {
            "name": "platform",
            "type": "comparison",
            "attribute": "platform",
            "operator": draw(st.sampled_from(["=", "!="])),
            "teams": draw(st.sampled_from([[], [teams[0]]])),
        },
        {
            "name": "grown",
            "type": "comparison",
            "attribute": "level",
            "operator": draw(st.sampled_from(["<", "<=", ">", ">="])),
            "value": 2,
        },
        {"name": "maps", "type": "intersection", "attribute": "maps", "minCount": draw(st.integers(1, 2))},
        {
            "name": "ping",
            "type": "latency",
            "maxLatencyMs": draw(st.sampled_from([50, 100])),
            "onMissing": draw(st.sampled_from(["reject", "ignore"])),
            "maxSpreadMs": draw(st.sampled_from([None, 50])),
        },
        {"name": "rematch", "type": "avoidRecentOpponents", "lastMatches": draw(st.integers(1, 3)), "releaseAfter": "60s"},
        {"name": "blocks", "type": "blocklist"},
        {"name": "sizes", "type": "teamSize", "maxDifference": draw(st.integers(0, 1))},
        {
            "name": "consoles",
            "type": "count",
            "attribute": draw(st.sampled_from(["platform", "maps"])),
            "value": draw(st.sampled_from(["console", "ice"])),
            "min": draw(st.integers(0, 2)),
            "max": draw(st.integers(2, 3)),
            "teams": draw(st.sampled_from([[], [teams[0]]])),
        },
        {
            "name": "seniors",
            "type": "teamComparison",
            "team": teams[0],
            "attribute": "level",
            "of": draw(st.sampled_from(["average", "max", "min", "sum"])),
            "operator": draw(st.sampled_from([">=", "<"])),
            "otherTeam": teams[-1],
            "otherAttribute": "level",
            "otherOf": "max",
        },
        {"name": "parties", "type": "party", "maxSizeDifference": draw(st.integers(0, 1)), "largest": draw(st.sampled_from([None, 2]))},
    ]
    chosen = draw(st.lists(st.sampled_from(range(len(menu))), unique=True, max_size=3))
    return [_maybe_weight(draw, {key: value for key, value in menu[i].items() if value is not None}) for i in sorted(chosen)]


@st.composite
def expansions(draw: st.DrawFn, rules: list[dict[str, Any]], teams: tuple[str, ...] = (), roles: tuple[str, ...] = ()) -> dict[str, Any]:
    """Widenings of some of these rules, teams and roles (`side.tank`)."""
    steps: list[dict[str, Any]] = []
    for rule in rules:
        field = {
            "distance": "maxDistance",
            "teamDistance": "maxDistance",
            "latency": "maxLatencyMs",
            "intersection": "minCount",
            "teamSize": "maxDifference",
            "count": "max",
        }.get(rule["type"])
        kind = draw(st.sampled_from(["none", "value", "linear", "disable"]))
        if kind == "disable":
            steps.append({"target": rule["name"], "after": "40s", "disable": True})
        elif field and kind == "value":
            steps.append({"target": f"{rule['name']}.{field}", "after": "10s", "value": draw(st.sampled_from([1, 150, 500]))})
        elif field and field not in {"minCount", "max", "maxDifference"} and kind == "linear":
            steps.append({"target": f"{rule['name']}.{field}", "every": "10s", "by": draw(st.sampled_from([-20, 30])), "limit": 200})
    steps += [{"target": f"{team}.minPlayers", "after": "20s", "value": 1} for team in teams if draw(st.booleans())]
    for role in roles:
        kind = draw(st.sampled_from(["none", "min", "max", "disable"]))
        if kind == "disable":
            steps.append({"target": role, "after": "40s", "disable": True})
        elif kind != "none":
            steps.append({"target": f"{role}.{kind}", "after": "10s", "value": 0 if kind == "min" else 3})
    return {"ageSelection": draw(st.sampled_from(["oldest", "newest", "average"])), "steps": steps}


@st.composite
def pools(draw: st.DrawFn, teams: list[dict[str, Any]], **spec: Any) -> PoolRules:
    """A pool of that team shape with any rules."""
    names = tuple(team["name"] for team in teams)
    rules = draw(rule_lists(names))
    growing = tuple(team["name"] for team in teams if team.get("minPlayers", 1) > 1)
    roles = tuple(f"{team['name']}.{role['name']}" for team in teams for role in team.get("roles", ()))
    return rules_of(teams=teams, rules=rules, expansions=draw(expansions(rules, growing, roles)), **spec)


def backfill(name: str, teams: dict[str, tuple[Player, ...]], age: float = 0.0) -> Ticket:
    """A running match that looks for players."""
    return Ticket(f"t-{name}", "eu", "ranked", (), NOW - age, 0.0, BackfillSlots(name, teams))
