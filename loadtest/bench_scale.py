"""What large crowds need, from measured per-unit costs. Pure; `python loadtest/bench_scale.py` writes SCALE.md's tables from loadtest/results/headline.json."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from bench_table import RESULT, ROOT, rates_of, sustained

CROWDS = (1_000_000, 10_000_000, 100_000_000)
MATCH_EVERY = 1200.0  # s between two matches of a player; assumed: a match of 15 to 20 minutes, and the menu
HEARTBEAT = 15.0  # s; the default
GATEWAY_CAPACITY = 10_000  # connections; the chart's default
BUSY = 0.5  # of a core that a process may be on average: evenings peak, and a lost peer's work must fit
REDIS_PER_PLAYER = 3.0  # KiB of a connected player's keys; assumed
POOLS, REGIONS = 5, 10  # assumed
VCPU_HOUR, GIB_HOUR = 0.04, 0.005  # US dollars; assumed: list prices of large clouds on demand, about


class Units(Struct, frozen=True):
    """Measured: CPU seconds per ticket and per heartbeat, KiB per connection."""

    gateway: float
    matcher: float
    redis: float
    heartbeat: float
    connection: float


def units(figures: Mapping[str, float]) -> Units:
    """From a result's figures, at the highest sustained rate (else the lowest measured one)."""
    rate = sustained(figures) or rates_of(figures)[0]
    per = [figures[f"{rate}/s: CPU per 1,000 tickets: {who}"] / 1000 for who in ("gateway", "matcher", "Redis")]
    connection = next(value for name, value in figures.items() if name.startswith("memory per idle connection,"))
    return Units(*per, figures["CPU per heartbeat and answer: gateway"] / 1e6, connection)


def needs(players: int, unit: Units) -> dict[str, str]:
    """One column of the table."""
    tickets = players / MATCH_EVERY
    beating = players / HEARTBEAT * unit.heartbeat
    gateway_cores = beating + tickets * unit.gateway
    gateways = max(math.ceil(players / GATEWAY_CAPACITY), math.ceil(gateway_cores / BUSY))
    matchers = max(1, math.ceil(tickets * unit.matcher / BUSY))
    shards = max(1, math.ceil(tickets * unit.redis / BUSY), math.ceil(players * REDIS_PER_PLAYER / 2**20 / 16))
    memory = players * unit.connection / 2**20 + gateways * 0.1 + players * REDIS_PER_PLAYER / 2**20 * 2
    cores = gateways + matchers + shards * 2
    return {
        "tickets per second": f"{tickets:,.0f}",
        "gateways": f"{gateways:,}",
        "… of a core each, on average": f"{gateway_cores / gateways:.0%}",
        "… memory of connections each": f"{players / gateways * unit.connection / 1024:,.0f} MiB",
        "matchers, busy at once": f"{matchers:,}",
        "Redis primaries (as many replicas)": f"{shards:,}",
        "KEDA objects": f"{POOLS * REGIONS + 1:,}" if players < CROWDS[-1] else f"{POOLS * REGIONS + 1:,} in each of 10 cells",
        "cores": f"{cores:,}",
        "memory": f"{memory:,.0f} GiB",
        "US dollars per hour": f"{cores * VCPU_HOUR + memory * GIB_HOUR:,.0f}",
        "US dollars per month and 1,000 players": f"{(cores * VCPU_HOUR + memory * GIB_HOUR) * 730 / players * 1000:,.2f}",
    }


def tables(result: Mapping[str, Any]) -> str:
    """Markdown."""
    unit = units(result["figures"])
    columns = [needs(players, unit) for players in CROWDS]
    measured = [
        (
            f"- measured on {result['day']} with a load average of {result['machine']['load_before']} to {result['machine']['load_after']}: CPU per 1,000 tickets"
            f" {unit.gateway * 1000:.3f} s (gateway), {unit.matcher * 1000:.3f} s (matcher), {unit.redis * 1000:.3f} s (Redis);"
            f" {unit.heartbeat * 1e6:.0f} µs per heartbeat; {unit.connection:.0f} KiB per connection"
        ),
        f"- of one pool, one Redis core is full at {1 / unit.redis:,.0f} tickets per second, if players' shards are elsewhere still later",
        (
            f"- assumed: a match for each player every {MATCH_EVERY / 60:.0f} minutes, heartbeats every {HEARTBEAT:.0f} s, processes busy to {BUSY:.0%} on average,"
            f" {REDIS_PER_PLAYER:g} KiB of Redis per player (twice, for the replica), {POOLS} pools in {REGIONS} regions,"
            f" {VCPU_HOUR:g} $ per core and {GIB_HOUR:g} $ per GiB and hour, without traffic"
        ),
    ]
    rows = [("", *(f"{players // 1_000_000} million" for players in CROWDS)), ("---",) * 4]
    rows += [(name, *(column[name] for column in columns)) for name in columns[0]]
    return "\n".join(measured) + "\n\n" + "\n".join("| " + " | ".join(row) + " |" for row in rows)


def write(document: str, result: Mapping[str, Any]) -> str:
    """The document with its tables made anew."""
    made = f"<!-- scale -->\n\n{tables(result)}\n\n<!-- scale end -->"
    return re.sub(r"<!-- scale -->.*?<!-- scale end -->", lambda _: made, document, flags=re.DOTALL)


if __name__ == "__main__":
    scale = ROOT / "loadtest" / "SCALE.md"
    scale.write_text(write(scale.read_text(), json.loads(RESULT.read_text())))
