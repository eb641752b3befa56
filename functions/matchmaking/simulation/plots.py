"""Plots as inline SVG, a few lines each: no library, no script, nothing to load. Colours come from the page's style, so that the same
picture serves light and dark screens and paper.

Coordinates are fixed (`WIDTH` by `HEIGHT`, scaled by the browser) and numbers are written with one digit, so that equal data gives
equal bytes.
"""

import math
from collections.abc import Sequence
from html import escape

from msgspec import Struct

WIDTH, HEIGHT = 560.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 14.0, 24.0, 40.0


class Axis(Struct, frozen=True):
    """A linear scale with its label; from `low` to `high`."""

    label: str
    low: float
    high: float
    unit: str = ""

    def share(self, value: float) -> float:
        """Where a value lies, 0 to 1, cut at the ends."""
        return min(1.0, max(0.0, (value - self.low) / ((self.high - self.low) or 1.0)))

    def step(self) -> float:
        """The distance of ticks: a round number that gives four to seven of them."""
        span = (self.high - self.low) or 1.0
        power = 10.0 ** math.floor(math.log10(span / 4))
        return next((size * power for size in (1, 2, 2.5, 5, 10) if span / (size * power) <= 6), 10 * power)

    def ticks(self) -> list[str]:
        """The round values, each as text of as many digits as their distance needs."""
        return [number(value, self._digits()) for value in self.values()]

    def values(self) -> list[float]:
        """The round values."""
        step = self.step()
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def _digits(self) -> int:
        step = self.step()
        return next((digits for digits in range(4) if abs(step * 10**digits - round(step * 10**digits)) < 1e-6), 4)


class Line(Struct, frozen=True):
    """A series: its name, CSS class (`s1` … `s4`, with ` dashed` if so), and y values; gaps at NaN."""

    name: str
    style: str
    values: Sequence[float]


def _n(value: float) -> str:
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def number(value: float, digits: int = 1) -> str:
    """A number for people: no digits that say nothing, thousands apart, a dash for nothing."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:,.{digits}f}"
    return text.replace(",", "\u202f").replace("-", "\u2212")


def _frame(x: Axis, y: Axis, body: str, title: str) -> str:
    """Axes, grid and labels around a body; `title` is what a screen reader says."""
    parts = [f'<svg viewBox="0 0 {_n(WIDTH)} {_n(HEIGHT)}" role="img" aria-label="{escape(title, quote=True)}">']
    for tick, text in zip(y.values(), y.ticks(), strict=True):
        at = _y(y, tick)
        parts.append(f'<line class="grid" x1="{_n(LEFT)}" x2="{_n(WIDTH - RIGHT)}" y1="{_n(at)}" y2="{_n(at)}"/>')
        parts.append(f'<text class="tick end" x="{_n(LEFT - 6)}" y="{_n(at + 4)}">{text}</text>')
    for tick, text in zip(x.values(), x.ticks(), strict=True):
        at = _x(x, tick)
        parts.append(f'<line class="grid" x1="{_n(at)}" x2="{_n(at)}" y1="{_n(TOP)}" y2="{_n(HEIGHT - BOTTOM)}"/>')
        parts.append(f'<text class="tick mid" x="{_n(at)}" y="{_n(HEIGHT - BOTTOM + 15)}">{text}</text>')
    parts.append(body)
    parts.append(f'<text class="label end" x="{_n(WIDTH - RIGHT)}" y="{_n(HEIGHT - 6)}">{escape(_label(x))}</text>')
    parts.append(f'<text class="label" x="{_n(LEFT)}" y="{_n(TOP - 9)}">{escape(_label(y))}</text></svg>')
    return "".join(parts)


def _label(axis: Axis) -> str:
    return f"{axis.label}, {axis.unit}" if axis.unit else axis.label


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - TOP - BOTTOM)


def lines(x: Axis, y: Axis, at: Sequence[float], series: Sequence[Line], title: str) -> str:
    """Lines over common x values, with a legend if there is more than one."""
    body = []
    for line in series:
        points, path = [], []
        for where, value in [*zip(at, line.values, strict=True), (0.0, math.nan)]:
            if math.isfinite(value):
                points.append(f"{_n(_x(x, where))},{_n(_y(y, value))}")
            elif points:
                path.append("M" + "L".join(points if len(points) > 1 else points * 2))
                points = []
        body.append(f'<path class="line {line.style}" d="{"".join(path)}"/>')
    return _frame(x, y, "".join(body), title) + (legend([(line.name, line.style) for line in series]) if len(series) > 1 else "")


def columns(x: Axis, y: Axis, series: Sequence[Line], title: str) -> str:
    """A histogram: equal columns along x, the series side by side in each."""
    body = []
    count = len(series[0].values) if series else 0
    slot = (WIDTH - LEFT - RIGHT) / max(1, count)
    width = slot * 0.86 / max(1, len(series))
    for k, line in enumerate(series):
        for i, value in enumerate(line.values):
            top = _y(y, value)
            height = HEIGHT - BOTTOM - top
            if height > 0.05:
                left = LEFT + i * slot + slot * 0.07 + k * width
                body.append(f'<rect class="fill {line.style}" x="{_n(left)}" y="{_n(top)}" width="{_n(width)}" height="{_n(height)}"/>')
    return _frame(x, y, "".join(body), title) + (legend([(line.name, line.style) for line in series]) if len(series) > 1 else "")


def heat(x: Axis, y: Axis, counts: Sequence[Sequence[int]], style: str, title: str) -> str:
    """Counts in a grid, darker for more (by the square root, so that rare cells stay visible); `counts[column][row]`."""
    most = max((count for column in counts for count in column), default=0)
    wide = (WIDTH - LEFT - RIGHT) / max(1, len(counts))
    high = (HEIGHT - TOP - BOTTOM) / max(1, len(counts[0]) if counts else 1)
    body = []
    for i, column in enumerate(counts):
        for j, count in enumerate(column):
            if count:
                shade = 0.12 + 0.88 * math.sqrt(count / most)
                left, top = LEFT + i * wide, HEIGHT - BOTTOM - (j + 1) * high
                body.append(
                    f'<rect class="fill {style}" fill-opacity="{shade:.2f}" x="{_n(left)}" y="{_n(top)}"'
                    f' width="{_n(wide)}" height="{_n(high)}"><title>{count} matches</title></rect>'
                )
    return _frame(x, y, "".join(body), title)


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Names beside their colours."""
    keys = "".join(
        f'<span class="key"><svg viewBox="0 0 22 8" width="22" height="8"><path class="line {style}" d="M1,4L21,4"/></svg>{escape(name)}</span>'
        for name, style in entries
    )
    return f'<div class="legend">{keys}</div>'
