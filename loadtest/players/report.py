"""The report of a run: figures first, then the promises, pictures, tables, and how it was measured. The frame and the plots are the simulator's."""

import math
import os
import platform
from collections.abc import Sequence
from html import escape
from typing import Any

from msgspec import to_builtins

from matchmaking.simulation.page import page, plot, section, table
from matchmaking.simulation.plots import Axis, Line, lines, number

from . import series
from .ledger import summary
from .run import Outcome
from .scenarios import SCENARIOS
from .series import Clock, Series

WAITS = ("s1", "s3", "b")  # of the percentiles, ascending
STYLES = ("a", "b", "s1", "s4", "b dashed", "a dashed", "s1 dashed")
PERCENTILES = (50, 95, 99)
RATES = {"joined": "joined", "ended: matched": "matched", "refused:": "refused"}
SAYS = {
    "match found": "From the moment a player was due to match_found on the client. The first ones wait for the first matcher to start.",
    "join acknowledged": "From queue_join to queue_joined.",
    "connect": "From the attempt to the server's hello.",
    "announcement": "From the request to announce to each player's client.",
    "back after a cut": "From the loss of the connection to the next hello, the client's jittered backoff included.",
    "party gathered": "From the first member's creating the party until all had joined it.",
    "accept answered": "From match_accept to what is known next of the match.",
    "generator late": "How far the generator itself was behind; small against the rest, or the rest is the generator's.",
}


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Everything that the report shows, for machines."""
    clock = Clock(outcome.options.seconds)
    cpu, memory = series.costs(outcome.samples, outcome.books, clock)
    joined = outcome.books.counts()["joined"]
    spent = series.cpu_spent(outcome.samples)
    return {
        "options": to_builtins(outcome.options),
        "machine": {"cores": _cores(), "python": platform.python_version(), "load_before": outcome.load[0], "load_after": outcome.load[1]},
        "latencies_ms": summary(outcome.books.latencies()),
        "counts": dict(sorted(outcome.books.counts().items())),
        "promises": [
            {"promise": what, "broken": times, "first": first} for what, times, first in outcome.books.verdicts(outcome.options.processes)
        ],
        "cpu_seconds": spent,
        "cpu_seconds_per_1000_tickets": {name: seconds / joined * 1000 for name, seconds in spent.items()} if joined else {},
        "incidents": outcome.incidents,
        "over_time": _finite(
            {
                "seconds": clock.middles,
                "match_found_ms": series.latency(outcome.books, clock, "match found", PERCENTILES),
                "per_second": series.throughput(outcome.books, clock, RATES),
                "players": series.present(outcome.books, clock),
                "cpu_percent": cpu,
                "memory_mib": memory,
                "queues": series.queues(outcome.samples, clock),
                "matchers": series.matchers(outcome.samples, clock),
            }
        ),
    }


def lines_of(outcome: Outcome) -> list[str]:
    """The figures for a terminal."""
    rows = [f"{what:24} p50 {row['p50']:9.1f}  p95 {row['p95']:9.1f}  p99 {row['p99']:9.1f}  max {row['max']:9.1f} ms  ({row['count']:,})"
            for what, row in summary(outcome.books.latencies()).items()]  # fmt: skip
    counts = [f"{what}: {times:,}" for what, times in sorted(outcome.books.counts().items())]
    kept = [
        f"{'kept  ' if not times else 'BROKEN'} {what}{f' ({times}: {first})' if times else ''}"
        for what, times, first in outcome.books.verdicts(outcome.options.processes)
    ]
    return [*rows, "  ".join(counts), *kept]


def report(outcome: Outcome) -> str:
    """The whole page."""
    options = outcome.options
    clock = Clock(options.seconds)
    about = (
        f"{SCENARIOS[options.scenario].what}. {escape(options.rate)} arrivals per second for {number(options.seconds, 0)} s, {options.processes} processes of players, "
        f"seed {options.seed}; {'against ' + ', '.join(options.url) if options.url else 'a deployment of our own on the same machine'}."
    )
    title = f"Load: {options.scenario}"
    return page(
        title,
        f'<h1>{escape(title)}</h1>\n<p class="soft">{escape(about[0].upper() + about[1:])}</p>\n'
        + _figures(outcome)
        + _promises(outcome)
        + _latencies(outcome, clock)
        + _load(outcome, clock)
        + _system(outcome, clock)
        + _tables(outcome)
        + _measured(outcome),
    )


def _figures(outcome: Outcome) -> str:
    counts, rows = outcome.books.counts(), summary(outcome.books.latencies())
    found = rows.get("match found", {})
    refused = sum(times for what, times in counts.items() if what.startswith("refused"))
    spent = sum(series.cpu_spent(outcome.samples).values())
    joined = counts["joined"]
    rates = series.throughput(outcome.books, Clock(outcome.options.seconds), RATES)["joined"]
    tiles = [
        ("tickets taken", number(joined, 0), f"{number(max(rates, default=0), 0)} in the busiest second"),
        ("refused", number(refused, 0), "each with a reason; see below"),
        ("match found, p50", _ms(found.get("p50")), "since the player was due"),
        ("match found, p99", _ms(found.get("p99")), f"of {number(found.get('count', 0), 0)} players"),
        ("promises broken", number(outcome.broken, 0), "lost, twice, or not told"),
        ("CPU per 1,000 tickets", f"{number(spent / joined * 1000, 2)} s" if joined and spent else "–", "gateways, matchers and Redis"),
    ]
    cells = "\n".join(f'<div class="figure"><small>{name}</small><b>{value}</b><small>{hint}</small></div>' for name, value, hint in tiles)
    return f'<div class="figures">\n{cells}\n</div>\n'


def _promises(outcome: Outcome) -> str:
    rows = [
        [
            f"<td>{escape(what)}</td>",
            f'<td class="{"worse" if times else "better"}">{f"broken {times} times: {escape(first)}" if times else "kept"}</td>',
        ]
        for what, times, first in outcome.books.verdicts(outcome.options.processes)
    ]
    return section(
        "The promises",
        "Every ticket is followed from its acknowledgement to its end, on the clients.",
        table(["promise", ""], rows, left=2),
    )


def _latencies(outcome: Outcome, clock: Clock) -> str:
    kinds = [kind for kind in SAYS if any(kind in page.latencies for page in outcome.books.pages)]
    pictures = [
        _plot(kind.capitalize(), SAYS[kind], "", "ms", clock, series.latency(outcome.books, clock, kind, PERCENTILES), WAITS)
        for kind in kinds
        if kind != "connect"
    ]
    told = "; ".join(f"{what} at {at:g} s" for at, what in outcome.incidents[:8])
    more = " …" if len(outcome.incidents) > 8 else ""
    return section("Waits", "Percentiles of each second. " + (f"What happened: {told}{more}." if told else ""), _plots(pictures))


def _load(outcome: Outcome, clock: Clock) -> str:
    rates, present = series.throughput(outcome.books, clock, RATES), series.present(outcome.books, clock)
    pictures = [
        _plot("Throughput", "Tickets that were acknowledged and matched, joins that were refused.", "per second", "", clock, rates),
        _plot("Players", "With a live connection, and of those who wait for a match.", "players", "", clock, present),
    ]
    return section("Load", "What the players did.", _plots(pictures))


def _system(outcome: Outcome, clock: Clock) -> str:
    cpu, memory = series.costs(outcome.samples, outcome.books, clock)
    pictures = [
        _plot("CPU", "Per kind of process; 100 is one core.", "CPU", "%", clock, cpu),
        _plot("Memory", "Resident, per kind of process.", "memory", "MiB", clock, memory),
        _plot("Queues", "Tickets waiting, sampled once a second.", "tickets", "", clock, series.queues(outcome.samples, clock)),
        _plot(
            "Matchers",
            "Running; the autoscaler starts them from the queues' lengths.",
            "matchers",
            "",
            clock,
            series.matchers(outcome.samples, clock),
        ),
    ]
    return section(
        "The system",
        "What it took. The players' own processes run on the same machine and are not counted among its costs.",
        _plots(pictures),
    )


def _plot(heading: str, says: str, label: str, unit: str, clock: Clock, rows: Series, styles: Sequence[str] = STYLES) -> str:
    if not rows:
        return ""
    end = clock.count * clock.width
    x = Axis("time", 0.0, end / 60 if end > 300 else end, "min" if end > 300 else "s")
    at = [middle / 60 if end > 300 else middle for middle in clock.middles]
    most = max((value for row in rows.values() for value in row if math.isfinite(value)), default=1.0)
    drawn = [Line(name, styles[i % len(styles)], row) for i, (name, row) in enumerate(rows.items())]
    return plot(heading, says, lines(x, Axis(label or "wait", 0.0, _nice(most), unit), at, drawn, heading))


def _nice(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next((step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * 0.999999), 10 * power)


def _plots(pictures: Sequence[str]) -> str:
    return f'<div class="plots">\n{"".join(pictures)}</div>'


def _tables(outcome: Outcome) -> str:
    rows = [
        [f"<td>{escape(what)}</td>", number(row["count"], 0), *(number(row[q]) for q in ("p50", "p90", "p95", "p99", "p99.9", "max"))]
        for what, row in summary(outcome.books.latencies()).items()
    ]
    waits = section(
        "All waits", "Milliseconds, over the whole run.", table(["", "count", "p50", "p90", "p95", "p99", "p99.9", "max"], rows)
    )
    counted = [[f"<td>{escape(what)}</td>", number(times, 0)] for what, times in sorted(outcome.books.counts().items())]
    costs = series.cpu_spent(outcome.samples)
    joined = outcome.books.counts()["joined"]
    spent = [
        [f"<td>{escape(name)}</td>", number(seconds, 1), number(seconds / joined * 1000, 3) if joined else "–"]
        for name, seconds in costs.items()
    ]
    counts = section("All counts", "Refusals and ends of tickets by their reason.", table(["what", "times"], counted))
    return (
        waits
        + counts
        + (section("CPU by process", "Over the whole run.", table(["", "seconds", "per 1,000 tickets, s"], spent)) if spent else "")
    )


def _measured(outcome: Outcome) -> str:
    options = outcome.options
    arrivals = outcome.books.counts()["arrived"]
    known = [
        f"Open model: {number(arrivals, 0)} arrivals were drawn beforehand by a seeded Poisson process; nobody waited for the system before being sent.",
        "Waits count from the moment a player was due, so that a generator that falls behind makes them longer, not invisible.",
        f"The machine: {_cores()} cores, Python {platform.python_version()}, load average {outcome.load[0]:.1f} before and {outcome.load[1]:.1f} after the run"
        + (", shared with the players." if not options.url else "."),
        "A player is the Python client as a game would use it: heartbeats, acknowledgements and reconnections included.",
        f"Who still waited {options.settle:g} s after the last arrival left the queue, so that every ticket has an end.",
    ]
    return section("How it was measured", "", "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in known) + "</ul>")


def _ms(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    return f"{number(value / 1000, 2)} s" if value >= 10_000 else f"{number(value, 0)} ms"


def _cores() -> int:
    return os.cpu_count() or 1


def _finite(value: Any) -> Any:
    """JSON knows no NaN."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
