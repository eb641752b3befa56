"""Recorded tickets, and what came of them, as the report wants them: a population and traces."""

import numpy as np

from matchmaking.core.pool import PoolRules
from matchmaking.core.ticket import Ticket

from .population import NEW_SIGMA, Population
from .replay import Log, Outcome
from .trace import WAITING, Matches, Trace


def population(log: Log, rules: PoolRules) -> Population:
    """Who came, in the order of arrival; backfill tickets of running matches are nobody. Times begin with the first arrival."""
    tickets = sorted((ticket for ticket in log.tickets.values() if ticket.players), key=lambda ticket: ticket.enqueued)
    regions, modes = (tuple(sorted({place(ticket) for ticket in tickets})) for place in (_region, _mode))
    times = np.array([ticket.enqueued for ticket in tickets])
    rating = np.array([sum(player.rating for player in ticket.players) / len(ticket.players) for ticket in tickets])
    edges = np.quantile(rating, [0.25, 0.5, 0.75]) if tickets else np.zeros(3)
    new = NEW_SIGMA[0] * rules.rating.initial.sigma
    return Population(
        regions=regions,
        modes=modes,
        times=times - _origin(log),
        region=np.array([regions.index(ticket.region) for ticket in tickets], dtype=np.int64),
        mode=np.array([modes.index(ticket.mode) for ticket in tickets], dtype=np.int64),
        size=np.array([len(ticket.players) for ticket in tickets], dtype=np.int64),
        rating=rating,
        band=np.searchsorted(edges, rating),
        newcomer=np.array([ticket.players[0].sigma >= new for ticket in tickets], dtype=bool),
        tickets=tuple(tickets),
    )


def trace(log: Log, rules: PoolRules, outcome: Outcome) -> Trace:
    """What came of them."""
    people, origin = population(log, rules), _origin(log)
    end = max(line.now for line in log.lines) - origin
    ends = [outcome.ends.get(ticket.id) for ticket in people.tickets]
    columns = [np.array(column) for column in zip(*outcome.rows, strict=True)] or [np.zeros(0) for _ in range(8)]
    clock = np.array(outcome.clock)
    return Trace(
        rules=rules,
        population=people,
        outcome=np.array([WAITING if each is None else each.outcome for each in ends], dtype=np.int8),
        wait=np.array([end - at if each is None else each.wait for each, at in zip(ends, people.times.tolist(), strict=True)]),
        match=np.array([-1 if each is None else each.row for each in ends], dtype=np.int64),
        matches=Matches(columns[0] - origin, *columns[1:]),
        end=end,
        clock=clock[:, 0] - origin,
        waiting=clock[:, 1].astype(np.int64),
        blocked=dict(sorted(outcome.blocked.items())),
        expired_by=dict(sorted(outcome.expired_by.items())),
        rounds=len(log.lines),
    )


def _origin(log: Log) -> float:
    return min([log.lines[0].now, *(ticket.enqueued for ticket in log.tickets.values())])


def _region(ticket: Ticket) -> str:
    return ticket.region


def _mode(ticket: Ticket) -> str:
    return ticket.mode
