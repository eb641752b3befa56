"""The report of one run, or of two that are compared: figures first, then pictures, then tables, then what was assumed.

Equal traces give equal bytes: no time of writing, no order but the data's own.
"""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from . import measures
from .comparison import figure_pairs, rule_changes, verdict
from .measures import PERCENTILES, Figure
from .page import page, plot, section, table
from .plots import Axis, Line, columns, heat, lines, number
from .scenario import Scenario
from .subject import Subject
from .tables import assumed, assumed_of_replay, blocked, fairness, waits_by_kind

MARKS = {"better": "better", "worse": "worse", "different": "", "equal": "≈"}


def report(subjects: Sequence[Subject], scenario: Scenario) -> str:
    """The whole page for one subject, or for two side by side."""
    names = " against ".join(subject.name for subject in subjects)
    return _whole(f"Simulation of {names}", _told(scenario, subjects), subjects, blocked(subjects), assumed(scenario, subjects))


def replay_report(name: str, then: Subject, now: Subject) -> str:
    """The same page of recorded tickets: what came of them, beside what would have come of them."""
    people = then.trace.population
    told = (
        f"{number(float(people.size.sum()), 0)} players in {number(len(people), 0)} recorded tickets, over "
        f"{number(then.trace.end / 60)} minutes; {number(then.trace.rounds, 0)} recorded rounds."
    )
    return _whole(f"Replay of {name}: {then.name} against {now.name}", told, [then, now], blocked([now]), assumed_of_replay())


def _whole(title: str, told: str, subjects: Sequence[Subject], blocking: str, end: str) -> str:
    body = [f"<h1>{escape(title)}</h1>\n", f'<p class="soft">{escape(told)}</p>\n', _summary(subjects)]
    if len(subjects) == 2:
        body.append(_rules(subjects))
    body += [_over_time(subjects), _quality(subjects), fairness(subjects), waits_by_kind(subjects), blocking, end]
    return page(title, "".join(body))


def text_summary(subjects: Sequence[Subject]) -> str:
    """The summary's figures as plain lines for a terminal."""
    rows = _figures(subjects)
    head = ["", *(subject.name for subject in subjects)]
    cells = [head, *([figures[0].name, *(_value(figure) for figure in figures)] for figures in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    marks = ["", *(_mark(figures) for figures in rows)]
    return "\n".join(
        f"{row[0]:<{widths[0]}}  "
        + "  ".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        + f"  {mark}".rstrip()
        for row, mark in zip(cells, marks, strict=True)
    )


def _figures(subjects: Sequence[Subject]) -> list[tuple[Figure, ...]]:
    summaries = [measures.summary(subject.trace) for subject in subjects]
    if len(summaries) == 1:
        return [(figure,) for figure in summaries[0]]
    return [tuple(pair) for pair in figure_pairs(summaries[0], summaries[1])]


def _told(scenario: Scenario, subjects: Sequence[Subject]) -> str:
    people = subjects[0].trace.population
    rate = f"{scenario.arrivals.rate:g} tickets/s ({scenario.arrivals.kind})"
    ends = ", ".join(number(subject.trace.end / 60) for subject in subjects)
    return (
        f"{number(float(people.size.sum()), 0)} players in {number(len(people), 0)} tickets, arriving at {rate}; seed {scenario.seed}; "
        f"a round every {scenario.round_every:g} s; {ends} minutes of virtual time."
    )


def _value(figure: Figure) -> str:
    unit = f" {figure.unit}" if figure.unit and np.isfinite(figure.value) else ""
    return number(figure.value, figure.digits) + unit


def _mark(figures: Sequence[Figure]) -> str:
    return "" if len(figures) == 1 else MARKS[verdict(figures[0].value, figures[1].value, figures[0].better)]


def _summary(subjects: Sequence[Subject]) -> str:
    tiles = []
    for figures in _figures(subjects):
        first = figures[0]
        if len(figures) == 1:
            values = f"<b>{_value(first)}</b>"
        else:
            told = verdict(first.value, figures[1].value, first.better)
            values = "".join(
                f'<b><span class="swatch {subject.style}"></span>{_value(figure)}</b>'
                for subject, figure in zip(subjects, figures, strict=True)
            ) + (f'<small class="{told}">{_difference(first, figures[1])} {MARKS[told]}</small>' if told != "equal" else "<small>≈</small>")
        tiles.append(f'<div class="figure"><small>{escape(first.name)}</small>{values}<small>{escape(first.hint)}</small></div>')
    names = "".join(f'<span class="key"><span class="swatch {subject.style}"></span>{escape(subject.name)}</span>' for subject in subjects)
    legend = f"<p>{names}</p>\n" if len(subjects) == 2 else ""
    return f'{legend}<div class="figures">\n' + "\n".join(tiles) + "\n</div>\n"


def _difference(first: Figure, second: Figure) -> str:
    if not (np.isfinite(first.value) and np.isfinite(second.value)):
        return ""
    change = second.value - first.value
    sign = "+" if change > 0 else ""
    return f"{sign}{number(change, max(first.digits, 1) if first.digits < 3 else 3)}"


def _rules(subjects: Sequence[Subject]) -> str:
    changes = rule_changes(subjects[0].trace.rules, subjects[1].trace.rules)
    rows = [[f"<td><code>{escape(change.path)}</code></td>", change.first, change.second] for change in changes]
    body = table(["field", *(subject.name for subject in subjects)], rows, left=3) if rows else "<p>Nothing.</p>\n"
    return section("What differs in the rules", "The same players arrived at the same times for both.", body)


def _time_axis(at: NDArray[np.float64]) -> tuple[Axis, list[float]]:
    """Seconds, minutes or hours, whichever reads best."""
    last = float(at[-1] + at[0])
    unit, size = ("h", 3600.0) if last > 3 * 3600 else ("min", 60.0) if last > 240 else ("s", 1.0)
    return Axis("time of arrival", 0.0, last / size, unit), (at / size).tolist()


def _over_time(subjects: Sequence[Subject]) -> str:
    both = len(subjects) == 2
    waits, queues = [], []
    arrivals: Sequence[float] = []
    for subject in subjects:
        at, rows = measures.wait_over_time(subject.trace)
        shown = (50, 95) if both else PERCENTILES
        for k, q in enumerate(PERCENTILES):
            if q in shown:
                style = f"{subject.style}{' dashed' if q == 50 else ''}" if both else f"s{k + 1}"
                waits.append(Line(f"{subject.name} p{q}" if both else f"p{q}", style, rows[q].tolist()))
        _, rate, waiting = measures.queue_over_time(subject.trace)
        arrivals = rate.tolist()
        queues.append(Line(subject.name, subject.style, waiting.tolist()))
    x, where = _time_axis(at)
    most = measures.nice(max((v for line in waits for v in line.values if np.isfinite(v)), default=1.0))
    deep = measures.nice(max(max(line.values) for line in queues))
    pictures = [
        plot(
            "Wait",
            "Percentiles of those matched, by when they arrived.",
            lines(x, Axis("wait", 0, most, "s"), where, waits, "wait over time"),
        ),
        plot(
            "Queue",
            "Tickets waiting at the same time, all queues together.",
            lines(x, Axis("tickets waiting", 0, deep), where, queues, "waiting tickets over time"),
        ),
        plot(
            "Arrivals",
            "Tickets per second.",
            lines(
                x,
                Axis("tickets per second", 0, measures.nice(max(arrivals))),
                where,
                [Line("arrivals", "s2", arrivals)],
                "arrivals over time",
            ),
        ),
    ]
    return section("Over time", "How long players wait, and how many at once.", f'<div class="plots">\n{"".join(pictures)}</div>')


def _quality(subjects: Sequence[Subject]) -> str:
    longest, widest = measures.common_limits([subject.trace for subject in subjects])
    pictures = []
    for subject in subjects:
        whose = f": {subject.name}" if len(subjects) == 2 else ""
        pictures.append(
            plot(
                f"Rating gap against wait{whose}",
                "Each match by the longest wait in it and the gap between its best and weakest player; stronger colour is more.",
                heat(
                    Axis("longest wait in the match", 0, longest, "s"),
                    Axis("rating gap", 0, widest),
                    measures.gap_by_wait(subject.trace, longest, widest).tolist(),
                    subject.style,
                    "match gap against wait",
                ),
            )
        )
    imbalance = max((measures.percentile(s.trace.matches.imbalance, 99) for s in subjects if len(s.trace.matches)), default=1.0)
    pictures.append(_histogram(subjects, "Quality", "As the core rates its matches; 1 is perfect.", "quality", "quality", (0.0, 1.0)))
    pictures.append(
        _histogram(
            subjects,
            "Imbalance",
            "Difference between the teams' average ratings.",
            "imbalance",
            "imbalance",
            (0.0, measures.nice(imbalance)),
        )
    )
    even = 100 / sum(team.quantity for team in subjects[0].trace.rules.teams)
    pictures.append(
        _histogram(
            subjects, "Chance of the favourite", f"As predicted; {even:.3g} % is an even match.", "favourite", "chance, %", (even, 100.0)
        )
    )
    if subjects[0].trace.rules.min_match_players < subjects[0].trace.rules.max_match_players:
        pictures.append(_histogram(subjects, "Fill", "Players in a match, over the most that it takes.", "fill", "fill, %", (0.0, 100.0)))
    return section("The matches", "How good they are, and what waiting buys.", f'<div class="plots">\n{"".join(pictures)}</div>')


def _histogram(subjects: Sequence[Subject], heading: str, says: str, column: str, label: str, limits: tuple[float, float]) -> str:
    bins = 20
    series = []
    for subject in subjects:
        values = measures.column(subject.trace, column)
        series.append(Line(subject.name, subject.style, measures.shares(values, limits[0], limits[1], bins).tolist()))
    most = measures.nice(max(max(line.values) for line in series))
    return plot(heading, says, columns(Axis(label, *limits), Axis("share of matches", 0, most, "%"), series, heading))
