"""`find_matches`: one round over one queue.

1. Tickets that no round can take are set aside (`admission`); they stop nobody.
2. The rest is put in buckets that can never meet: by mode, and by region until a ticket may spill to its neighbours.
3. Each bucket is matched: pairs of lone tickets by `duel`, everything else by `teams`; if the view is large, in bulk over columns (`large`,
   which alone loads the numeric library).
4. For what is left, reasons are computed when somebody asks.

A round is a function of its arguments: no clock, no randomness of its own. In small queues not even the order in which tickets came into
the view matters.
"""

from collections.abc import Iterable
from random import Random

from .admission import completed
from .candidate import Entry
from .evaluate import Frame
from .explain import Reasons, Suspended
from .pool import PoolRules
from .queue import QueueView
from .round import Match, Round
from .small import entry_of, match_regions
from .ticket import Ticket

LARGE = 2000  # tickets from which on columns pay for loading the numeric library (some 0.1 s, once)


def find_matches(queue: QueueView, rules: PoolRules, now: float, random: Random) -> Round:
    """Put waiting tickets together.

    Args:
        queue: the tickets; if it names a region, matches are played there, and tickets of its neighbours join once they may spill.
        rules: the pool's. Pass the same object from round to round: what the view has found out is kept for it.
        now: seconds since the epoch, on the clock of the tickets' `enqueued`.
        random: the source of whatever must not be the same in each round (where a large queue is cut; which of many hopeless seeds are tried).

    Returns:
        matches, the reasons of those left waiting, and the tickets that no round can take.
    """
    if rules.suspend:
        return Round((), Suspended([ticket.id for ticket in queue]))
    regions = [queue.region] if queue.region else [region.name for region in rules.regions]
    if len(queue) > LARGE:
        from .large import match_large

        return match_large(queue.columns(rules), regions, now, random)
    sound, poisoned = _sound(queue, rules)
    matches: list[Match] = []
    left: list[tuple[Frame, list[Entry]]] = []
    for mode in rules.modes:
        waiting: dict[str, list[Entry]] = {region.name: [] for region in rules.regions}
        for ticket in sound:
            if ticket.mode == mode:
                waiting[ticket.region].append(entry_of(ticket, rules, now))
        match_regions(rules, now, regions, waiting, matches, random)
        left += [(Frame(rules, region, now), entries) for region, entries in waiting.items() if entries]
    return Round(tuple(matches), Reasons(left), poisoned)


def _sound(queue: QueueView, rules: PoolRules) -> tuple[list[Ticket], dict[str, str]]:
    """The tickets that can be matched, and what is wrong with the others. Of two tickets of one player the older one counts."""
    sound: list[Ticket] = []
    poisoned: dict[str, str] = {}
    held: dict[str, str] = {}
    for ticket in _oldest_first(queue, poisoned, rules):
        twice = next((i for i, player in enumerate(ticket.players) if player.id in held), None)
        if twice is not None:
            player = ticket.players[twice].id
            poisoned[ticket.id] = f"players[{twice}].id: `{player[:80]}` waits already, in ticket {held[player]}"
            continue
        held.update((player.id, ticket.id) for player in ticket.players)
        sound.append(completed(ticket, rules))
    return sound, poisoned


def _oldest_first(queue: QueueView, poisoned: dict[str, str], rules: PoolRules) -> Iterable[Ticket]:
    found = []
    for ticket in queue:
        reason = queue.flaw(ticket, rules)
        if reason:
            poisoned[ticket.id] = reason
        else:
            found.append(ticket)
    return sorted(found, key=lambda ticket: (ticket.enqueued, ticket.id))
