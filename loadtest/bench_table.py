"""From the figures of a run to the headline table, to README's, and to the pictures of growth. Pure.

python loadtest/bench_table.py          # writes README.md's table from loadtest/results/headline.json
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from matchmaking.simulation.page import page, plot, section
from matchmaking.simulation.plots import Axis, Line, lines

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "loadtest" / "results" / "headline.json"
P99 = 250.0  # ms, at which a rate counts as sustained
DRAINED = 50_000  # tickets
Figures = Mapping[str, float]


class Headline(Struct, frozen=True):
    """One row.

    Attributes:
        value: NaN where nothing was measured.
        beside: the peer or floor of the same run, in words.
        target: `sign` and number; None where it is told only.
    """

    name: str
    value: float
    unit: str
    beside: str = ""
    sign: str = "≤"
    target: float | None = None

    @property
    def verdict(self) -> str:
        """`reached`, `falls short`, or what else there is to say."""
        if not math.isfinite(self.value):
            return "not measured"
        if self.target is None:
            return ""
        return "reached" if (self.value <= self.target if self.sign == "≤" else self.value >= self.target) else "falls short"


def headlines(figures: Figures) -> list[Headline]:
    """The table."""

    def get(name: str) -> float:
        return figures.get(name, math.nan)

    rate = sustained(figures)
    measured = rates_of(figures)
    shown = rate or (measured[0] if measured else 0)  # where none is sustained, the lowest
    per = f"{shown}/s: CPU per 1,000 tickets"
    found = f"p99 {get(f'{rate}/s: join due → match_found, p99'):.0f} ms" if rate else "no rate reached it"
    committing = get("exec → all matched and committed") - get("exec → the first match committed")
    delivering = get("exec → all delivered") - get("exec → the first match committed")
    bare_commits, bare_deliveries = get("bare Lua: commits of two tickets per second"), get("bare Lua: deliveries per second")
    heartbeat = "CPU per heartbeat and answer: "
    peers = ", ".join(f"{name} {get(heartbeat + name):.0f} µs" for name in ("hypercorn", "uvicorn", "websockets"))
    memory = ", ".join(f"{name} {get('memory per idle connection: ' + name):.0f} KiB" for name in ("hypercorn", "uvicorn", "websockets"))
    crowd = next((value for name, value in figures.items() if name.startswith("memory per idle connection,")), math.nan)
    sorted_anew, kept = "1v1 100,000: round, sorted anew / argsort", "1v1 100,000: round, columns kept / argsort"
    return [
        Headline("tickets end to end with p99 ≤ 250 ms", float(rate) if measured else math.nan, "1/s", found, "≥", 3000),
        Headline("p99 from join to match at 1,000/s", get("1000/s: join due → match_found, p99"), "ms", "", "≤", 100),
        Headline(f"CPU per 1,000 tickets at {shown}/s, all processes", get(f"{per}: all"), "s", _parts(figures, per), "≤", 0.30),
        Headline(f"{DRAINED:,} waiting tickets matched and committed", get("exec → all matched and committed"), "s", "", "≤", 1.0),
        Headline(f"{DRAINED:,} waiting tickets delivered", get("exec → all delivered"), "s", "", "≤", 2.5),
        Headline("overload: tickets lost", get("overload: acknowledged tickets without an end"), "", "", "≤", 0),
        Headline("overload: matched twice", get("overload: tickets and players matched twice"), "", "", "≤", 0),
        Headline(
            *("overload: joins without an answer", get("overload: joins without any answer"), ""),
            f"{get('overload: refused with a reason, of all joins'):.0f} % refused with a reason",
            *("≤", 0),
        ),
        Headline("overload: all well again after", get("overload: well again after"), "s", "", "≤", 10),
        Headline("overload: gateway's memory grew by", get("overload: gateway's memory grew by"), "MiB", "", "≤", 64),
        Headline("round over 100,000 tickets, sorted anew", get(sorted_anew), "× argsort", "NumPy's argsort", "≤", 3),
        Headline("round over 100,000 tickets, order kept", get(kept), "× argsort", "NumPy's argsort", "≤", 3),
        Headline(
            *("commits of a matcher against bare Lua", DRAINED / 2 / committing / bare_commits if committing > 0 else math.nan, "×"),
            *(f"bare Lua {bare_commits:,.0f} commits/s of Redis' time", "≥", 0.5),
        ),
        Headline(
            *("deliveries of a matcher against bare Lua", DRAINED / delivering / bare_deliveries if delivering > 0 else math.nan, "×"),
            *(f"bare Lua {bare_deliveries:,.0f} deliveries/s of Redis' time", "≥", 0.5),
        ),
        Headline("CPU per heartbeat and answer", get(heartbeat + "gateway"), "µs", peers),
        Headline("… against raw ASGI on Hypercorn", get("gateway against raw ASGI on Hypercorn"), "×", "", "≤", 1.2),
        Headline("memory per idle connection", crowd, "KiB", memory, "≤", 32),
        Headline(
            "cold start: exec of a matcher to the client's match", get("matcher: exec → match_found on the client (median of 5)"), "ms", "", "≤", 250
        ),
        Headline("announcement: CPU per connection", get("announcement: CPU per connection"), "µs", "", "≤", 20),
        Headline("announcement: p99 until it arrived", get("announcement: p99 until it arrived"), "ms"),
        *(Headline(f"growth of {what}: exponent", exponent(points), "", told, "≤", 1.15) for what, points, told in growths(figures)),
    ]  # fmt: skip


def rates_of(figures: Figures) -> list[int]:
    """The rates of tickets that were measured, ascending."""
    return sorted(int(found[1]) for name in figures if (found := re.fullmatch(r"(\d+)/s: join due → match_found, p99", name)))


def sustained(figures: Figures) -> int:
    """The highest rate whose p99 was at most `P99`, all lower ones included; 0 for none."""
    best = 0
    for rate in rates_of(figures):
        if not 0 < figures[f"{rate}/s: join due → match_found, p99"] <= P99:  # 0: nobody was matched at all
            break
        best = rate
    return best


def _parts(figures: Figures, per: str) -> str:
    return ", ".join(f"{who} {figures.get(f'{per}: {who}', math.nan):.3f}" for who in ("gateway", "matcher", "Redis"))


def growths(figures: Figures) -> list[tuple[str, list[tuple[float, float]], str]]:
    """What grows with what: name, points, the range in words."""
    kinds = (
        ("a round with its tickets", r"growth: round over (\d+) tickets", "ms"),
        ("a gateway's memory with connections", r"growth: memory at (\d+) connections", "KiB"),
        ("an announcement's CPU with connections", r"growth: CPU of an announcement to (\d+) connections", "ms"),
    )
    found = []
    for what, pattern, unit in kinds:
        points = sorted((float(match[1]), value) for name, value in figures.items() if (match := re.fullmatch(pattern, name)))
        if len(points) > 1:
            (first, low), (last, high) = points[0], points[-1]
            found.append((what, points, f"{first:,.0f}: {low:,.1f} {unit} … {last:,.0f}: {high:,.1f} {unit}"))
    return found


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The slope of a straight line through the logarithms (least squares)."""
    usable = [(math.log(n), math.log(value)) for n, value in points if n > 0 and value > 0]
    if len(usable) < 2:
        return math.nan
    mean_x, mean_y = (sum(point[i] for point in usable) / len(usable) for i in (0, 1))
    return sum((x - mean_x) * (y - mean_y) for x, y in usable) / sum((x - mean_x) ** 2 for x, _ in usable)


def growth_page(figures: Figures) -> str:
    """The pictures, on logarithmic scales."""
    pictures = []
    for what, points, told in growths(figures):
        at, values = [math.log10(n) for n, _ in points], [math.log10(max(value, 1e-3)) for _, value in points]
        x = Axis("how many, power of ten", math.floor(at[0]), math.ceil(at[-1]))
        y = Axis("cost, power of ten", math.floor(min(values)), math.ceil(max(values) + 0.01))
        picture = lines(x, y, at, [Line(what, "a", values)], what)
        pictures.append(plot(what[0].upper() + what[1:], f"Exponent {exponent(points):.2f}; {told}.", picture))
    body = section(
        "Growth", "1 is proportional; less means that the fixed part still shows.", f'<div class="plots">{"".join(pictures)}</div>'
    )
    return page("Growth", f"<h1>How costs grow</h1>{body}")


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _cells(row: Headline) -> tuple[str, ...]:
    target = "" if row.target is None else f"{row.sign} {row.target:,g}"
    return row.name, f"{_number(row.value)} {row.unit}".strip(), row.beside, target, row.verdict


def text_table(rows: Sequence[Headline], machine: Mapping[str, Any]) -> str:
    """For a terminal."""
    cells = [("figure", "measured", "beside, in the same run", "target", ""), *(_cells(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(5)]
    body = "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    short = sum(row.verdict == "falls short" for row in rows)
    return f"{body}\n\n{told(machine)} {short} of {sum(row.target is not None for row in rows)} targets are not reached."


def told(machine: Mapping[str, Any]) -> str:
    """Where it was measured."""
    return (
        f"{machine['cores']} cores shared with the load generator, Python {machine['python']}; load average {machine['load_before']} before the run"
        f" and {machine['load_after']} after it (an idle machine has 0: with more than that, waits, rates and times say more about the machine than about the service)."
    )


def readme_table(result: Mapping[str, Any]) -> str:
    """Markdown."""
    rows = [
        ("figure", "measured", "beside, in the same run", "target", ""),
        ("---",) * 5,
        *(_cells(row) for row in headlines(result["figures"])),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + f"\n\nOf {result['day']}: {told(result['machine'])}"


def write(document: str, result: Mapping[str, Any]) -> str:
    """The document with its table made anew."""
    made = f"<!-- headline -->\n\n{readme_table(result)}\n\n<!-- headline end -->"
    return re.sub(r"<!-- headline -->.*?<!-- headline end -->", lambda _: made, document, flags=re.DOTALL)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(write(readme.read_text(), json.loads(RESULT.read_text())))
