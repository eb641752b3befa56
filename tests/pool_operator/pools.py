"""Pools as the API server hands them out, for tests."""

from pathlib import Path
from typing import Any

import yaml

from matchmaking_operator.options import DashboardHome, MatcherPod, Options, RedisTrigger

POOLS = Path(__file__).parents[2] / "pools"
OPTIONS = Options(
    RedisTrigger("redis.games.svc:6379", authentication="redis-auth"),
    MatcherPod("game-session-manager:test", "redis-url", environment={"MATCHMAKING_LOG_LEVEL": "INFO"}),
    DashboardHome(labels={"grafana_dashboard": "1"}),
    {"release": "prometheus"},
)


def resource(name: str = "duel", generation: int = 1, **spec: Any) -> dict[str, Any]:
    """One of our pools; `spec` replaces sections of its spec."""
    found: dict[str, Any] = yaml.safe_load((POOLS / f"{name}.yaml").read_text())
    found["spec"] |= spec
    found["metadata"] |= {"namespace": "games", "uid": f"uid-{name}", "generation": generation, "creationTimestamp": "2031-01-01T00:00:00Z"}
    return found
