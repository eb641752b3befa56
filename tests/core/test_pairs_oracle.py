"""Pairs against a minimum-weight maximum matching, in pools where neighbours alone are not enough."""

from random import Random
from typing import Any

import networkx as nx
import pytest

from matchmaking.core.matching import find_matches
from matchmaking.core.queue import QueueView
from matchmaking.core.ticket import Player, Ticket
from support.match_checker import faults
from support.strategies import NOW, rules_of

WINDOWS = {"name": "skill", "type": "distance", "maxDistance": 20}
AVOID = [{"name": "rematch", "type": "avoidRecentOpponents"}, {"name": "blocks", "type": "blocklist"}]
STEPS = {"steps": [{"target": "skill.maxDistance", "every": "10s", "by": 20, "limit": 120}]}


def crowd(count: int, seed: int, near: int) -> list[Ticket]:
    """Sparse: some four others in a ticket's window; each has met and blocked some of those near it."""
    random = Random(seed)
    ratings = sorted(random.gauss(1500, count * 12.0) for _ in range(count))
    found = []
    for i, rating in enumerate(ratings):
        close = [f"p{j}" for j in range(max(0, i - 3), min(count, i + 4)) if j != i]
        player = Player(
            f"p{i}", rating, recent=tuple(random.sample(close, min(near, len(close)))), blocked=tuple(random.sample(close, near // 2))
        )
        found.append(Ticket(f"t{i}", "eu", "ranked", (player,), NOW - random.random() * 59))
    random.shuffle(found)
    return found


def allowed(a: Ticket, b: Ticket, rules: Any) -> bool:
    from matchmaking.core.round import Match, TeamResult

    return not faults(Match((TeamResult("side-1", (a,)), TeamResult("side-2", (b,))), "eu"), rules, NOW)


@pytest.mark.parametrize(("count", "seeds", "near"), [(50, 10, 0), (50, 10, 4), (200, 3, 0), (200, 3, 4), (1000, 1, 2)])
def test_nearly_as_many_pairs_as_the_oracle(count: int, seeds: int, near: int) -> None:
    rules = rules_of(rules=[WINDOWS, *(AVOID if near else [])], expansions=STEPS)
    ours = theirs = 0
    our_gap = their_gap = 0.0
    for seed in range(seeds):
        tickets = crowd(count, seed, near)
        found = find_matches(QueueView(tickets), rules, NOW, Random(1))
        ours += len(found.matches)
        our_gap += sum(match.gap for match in found.matches)
        ordered = sorted(tickets, key=lambda ticket: ticket.players[0].rating)
        graph: Any = nx.Graph()
        for i, a in enumerate(ordered):
            for b in ordered[i + 1 :]:
                gap = b.players[0].rating - a.players[0].rating
                if gap > 120:
                    break
                if allowed(a, b, rules):
                    graph.add_edge(a.id, b.id, weight=1e6 - gap)
        pairs = nx.max_weight_matching(graph, maxcardinality=True)
        theirs += len(pairs)
        their_gap += sum(1e6 - graph[a][b]["weight"] for a, b in pairs)
    assert ours >= 0.995 * theirs
    assert our_gap <= 1.1 * their_gap  # pairs are what counts; of two who could wait the younger one does, even if its gap is smaller
