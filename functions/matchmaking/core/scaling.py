"""How many matchers a pool's region should have: the same arithmetic as KEDA's ScaledJob, so that `matchmaking dev` behaves like the cluster."""

from collections.abc import Iterable

from .pool import PoolRules


def activation_length(rules: PoolRules, region: str) -> int:
    """The queue length above which a region's triggers are active: one under the fewest tickets that can make a match.

    Where a neighbour's tickets may spill into the region, one ticket of its own is enough; where game servers may ask for players, a server's ticket and
    a player's are.
    """
    fewest = rules.min_match_tickets
    if rules.backfill.mode == "auto" or (rules.backfill.mode == "manual" and rules.allocation.type != "none"):
        fewest = min(fewest, 2)
    if any(region in other.neighbors for other in rules.regions):
        fewest = 1
    return max(0, fewest - 1)


def desired_matchers(rules: PoolRules, region: str, waiting: Iterable[int], running: int) -> int:
    """How many matchers to start now.

    KEDA's `default` strategy with `multipleScalersCalculation: sum`: min(ceil(sum of active queues / ticketsPerMatcher), maxMatchers) - running.
    `minMatchers` run whatever waits.

    Args:
        rules: the pool's; `scaling` counts.
        region: which of the pool's.
        waiting: the length of each of the region's queues, in tickets.
        running: matchers of this pool and region that have not ended.

    Returns:
        matchers to start in addition, never negative.
    """
    if rules.suspend:
        return 0
    scaling = rules.scaling
    activation = activation_length(rules, region)
    length = sum(n for n in waiting if n > activation)
    wanted = min(-(-length // scaling.tickets_per_matcher), scaling.max_matchers)
    return max(0, max(wanted, scaling.min_matchers) - running)
