"""The report's tables: how kinds of players fared, what blocked, and what was assumed."""

from collections.abc import Sequence
from html import escape

import numpy as np

from . import measures, population
from .comparison import verdict
from .measures import Group
from .page import section, table
from .plots import number
from .scenario import Scenario
from .subject import Subject

GROUP_COLUMNS = (("matched, %", "higher", 1), ("wait p50, s", "lower", 1), ("wait p95, s", "lower", 1), ("quality", "higher", 3))
GROUP_MATCHES = (("rating gap", "lower", 0), ("imbalance", "lower", 0))


def fairness(subjects: Sequence[Subject]) -> str:
    groups = [measures.fairness(subject.trace) for subject in subjects]
    teams = any(subject.trace.rules.max_match_players > 2 for subject in subjects)
    head = ["", "tickets"]
    shown = [*GROUP_COLUMNS, *(GROUP_MATCHES if teams else GROUP_MATCHES[:1])]
    rows = []
    for members in zip(*groups, strict=True):
        row = [f"<td>{escape(members[0].name)}</td>", number(members[0].tickets, 0)]
        for k, (_, better, digits) in enumerate(shown):
            values = [_numbers(member)[k] for member in members]
            cell = " → ".join(number(value, digits) for value in values)
            told = verdict(values[0], values[1], better) if len(values) == 2 else ""
            row.append(f'<td class="{told}">{cell}</td>' if told else cell)
        rows.append(row)
    names = " → ".join(subject.name for subject in subjects) if len(subjects) == 2 else ""
    introduction = "No kind of player should fare much worse than everybody does, unless the rules say so. Newcomers are uncertain, the margins have few peers. "
    return section(
        "Fairness",
        introduction + (f"Each cell: {names}; ✓ is better for players, ✗ worse." if names else ""),
        table([*head, *(name for name, _, _ in shown)], rows),
    )


def _numbers(group: Group) -> tuple[float, ...]:
    return (group.matched, group.waits[0], group.waits[2], group.quality, group.gap, group.imbalance)


def waits_by_kind(subjects: Sequence[Subject]) -> str:
    tables = [measures.wait_table(subject.trace) for subject in subjects]
    names, sizes, cells = tables[0]
    most = max((value for row in cells for value, _ in row if np.isfinite(value)), default=1.0) or 1.0
    rows = []
    for i, name in enumerate(names):
        row = [f"<td>{escape(name)}</td>"]
        for j, (value, tickets) in enumerate(cells[i]):
            other = tables[1][2][i][j][0] if len(tables) == 2 else float("nan")
            shade = f' style="--h:{value / most:.2f}"' if np.isfinite(value) else ""
            second = f' → <span class="{verdict(value, other, "lower")}">{number(other)}</span>' if len(tables) == 2 else ""
            row.append(f'<td class="heat"{shade}>{number(value)}{second}<small>{number(tickets, 0)}</small></td>')
        rows.append(row)
    return section(
        "Waits by region, rating and party",
        f"The 95th percentile of the wait in seconds, and the tickets it is made of; a dash where there are fewer than {measures.FEW}.",
        table(["", *sizes], rows),
    )


def blocked(subjects: Sequence[Subject]) -> str:
    parts = []
    for subject in subjects:
        rows = [
            [
                f"<td><code>{escape(rule)}</code></td>",
                f'<td><span class="bar {subject.style}" style="width:{share * 2.4:.0f}px"></span>{number(share)} %</td>',
                number(expired, 0),
            ]
            for rule, share, expired in measures.blockers(subject.trace)
        ]
        whose = f"<h3>{escape(subject.name)}</h3>" if len(subjects) == 2 else ""
        parts.append(
            whose + (table(["rule", "of those who waited", "expired for it"], rows, left=2) if rows else "<p>Nobody had to wait.</p>\n")
        )
    return section(
        "What blocked",
        "The rule that kept the oldest tickets of a queue waiting, sampled every ten rounds, and the tickets that expired. “players” means that too few waited.",
        "".join(parts),
    )


def assumed(scenario: Scenario, subjects: Sequence[Subject]) -> str:
    rules = subjects[0].trace.rules
    initial = rules.rating.initial
    known = [
        "Every player queues once; each has the pool's rating, latencies to every region, and what the rules ask for.",
        (
            f"Ratings are normal around {initial.mu:g} with a deviation of {population.RATING_SPREAD * initial.sigma:g}; "
            f"{population.NEWCOMERS:.0%} are newcomers, close to {initial.mu:g} and uncertain (sigma over {population.NEW_SIGMA[0] * initial.sigma:g})."
        ),
        "Parties are alike in rating (correlation 0.75) and sized "
        + ", ".join(f"{size}: {share:.0%}" for size, share in enumerate(population.PARTY_SHARES, 1))
        + ", as far as the pool admits them.",
        (
            "Regions and modes share players unequally: the k-th has 1/√k of the first. Latency: IBM Cloud's published averages between regions "
            "(27 July to 25 August 2024) plus a last mile with a median of 14 ms."
        ),
        (
            "Nobody cancels, declines or comes back, and there is no backfill. Where the rules ask for it, half of the players have just played "
            "those of their rating who came at the same time, and 3 % have blocked one of them."
        ),
        f"The virtual clock starts at 14:00 and steps {scenario.round_every:g} s; after the last arrival it runs until everybody has left"
        + (f", or {scenario.hours:g} h are over." if scenario.hours is not None else "."),
    ]
    return section(
        "What was assumed",
        "A simulation shows what rules do to this population, not to yours.",
        "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in known) + "</ul>",
    )


def assumed_of_replay() -> str:
    """What a replay cannot know."""
    known = [
        "Tickets come when they came, and rounds are run when matchers ran them, with the same seeds.",
        "Who was matched then waits on here until these rules match it, or until the pool's ttl. Who took the ticket back does so here too, unless matched before.",
        "Better or worse matches would have brought players back sooner or later; here they come as they came.",
        "Ratings are those that tickets had when they came.",
        "If several matchers served a queue at once, each made a part of the matches; here the rules decide on all tickets together.",
    ]
    return section(
        "What was assumed",
        "A replay shows what rules do to the players of that time.",
        "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in known) + "</ul>",
    )
