"""Pairs of lone tickets in large queues: the dynamic program of `duel`, over numpy columns.

The rating order is cut into segments of equal length, laid side by side: step t of the program handles the t-th ticket of every segment
at once, so a queue of a million costs a few hundred steps over arrays. Where the cuts are moves from round to round (the caller draws it), so that
nobody stands at a border for long. Three passes, each only over what the one before left:

1. Neighbours (`_settle_neighbours`): who waits, who pairs with the next one.
2. Segments in which two or more were left: the six patterns of `duel`, pairs that skip or cross a neighbour included.
3. All that is left, in order, as a queue of its own: pairs across cuts and over longer distances.

Windows, latency and equal words are columns. Other rules are asked about the pairs that came out; those forbidden are priced out and
their segments settled again.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .candidate import empty_sides
from .columns import Bucket, Floats
from .duel import AGE_SHARE, STARVING, WAITING
from .equals import is_equality
from .evaluate import MOST_GAP_COST, Frame
from .pool import DistanceRule, LatencyRule, Rule, TeamDistanceRule

Places = NDArray[np.intp]
Pairs = tuple[Places, Places]  # places in the rating order: lower, higher
Admits = Callable[[int, int], bool]

FORBIDDEN = 1e12  # cost of a pair that the rules forbid: over everything that waiting could cost in one segment
_SHORTEST, _LONGEST = 64, 512  # tickets in a segment: shorter ones cost more cuts, longer ones more steps
_SEGMENTS = 2048  # segments side by side that fill an array operation well
_ASKED_AGAIN = 4  # times that forbidden pairs are priced out before the rest of them wait for the next round


class Board:
    """What the program needs to know of a queue: costs of waiting, and of pairs at a distance of up to three in the order."""

    def __init__(self, frame: Frame, bucket: Bucket, places: Places | None = None, *, by_rating: bool = True) -> None:
        self._by_rating = by_rating
        self._one_team = len(empty_sides(frame.rules)) == 1
        self._frame = frame
        self._bucket = bucket
        self._places = places
        self._rating = self._of(bucket.rating)
        self._ages = self._of(bucket.ages(frame.now))
        self._newest = frame.rules.expansions.age_selection == "newest"
        self._average = frame.rules.expansions.age_selection == "average"
        self._windows: dict[tuple[str, str], Floats] = {}
        self.count = len(self._rating)

    def _of(self, column: Floats) -> Floats:
        return column if self._places is None else column[self._places]

    def waiting(self) -> Floats:
        """What it costs to leave each ticket waiting."""
        bound = float(self._frame.rules.priority.starvation_bound)
        costs = self._ages * (AGE_SHARE / (bound or 1.0))
        costs += WAITING
        costs[self._ages >= bound] = STARVING
        return costs

    def pairs(self, apart: int) -> Floats:
        """Cost of the pairs (i, i + apart), for each i."""
        costs = np.zeros(max(0, self.count - apart))
        forbidden = np.zeros(len(costs), bool)
        for rule in self._frame.rules.rules:
            if isinstance(rule, DistanceRule | TeamDistanceRule):
                self._price_distance(rule, apart, costs, forbidden)
            elif isinstance(rule, LatencyRule):
                self._price(rule, ~self._latency_kept(rule, apart), costs, forbidden)
            elif is_equality(rule):
                code = self._of(self._bucket.extra[f"code {rule.attribute}"])  # type: ignore[union-attr]
                self._price(rule, (code[apart:] != code[:-apart]) & self._present(rule, apart), costs, forbidden)
        np.minimum(costs, WAITING / 2, out=costs)
        costs[forbidden] = FORBIDDEN
        return costs

    def _price(self, rule: Rule, broken: NDArray[np.bool_], costs: Floats, forbidden: NDArray[np.bool_]) -> None:
        if not self._frame.schedule.only_disables(rule.name):
            return  # a rule that turns from hard to preference with age is asked about the pairs that come out
        if rule.weight is None:
            forbidden |= broken
        else:
            costs += rule.weight * broken

    def _price_distance(self, rule: DistanceRule | TeamDistanceRule, apart: int, costs: Floats, forbidden: NDArray[np.bool_]) -> None:
        if self._one_team if isinstance(rule, TeamDistanceRule) else rule.around == "team" and not self._one_team:
            return  # one team has no other to differ from; in two teams each ticket is its team's average
        number = self._rating if rule.attribute == "rating" else self._of(self._bucket.extra[f"number {rule.attribute}"])
        gap = number[apart:] - number[:-apart]
        if rule.attribute != "rating" or not self._by_rating:
            np.abs(gap, out=gap)
        window = self._at_pair(rule, "maxDistance", rule.max_distance, apart)
        if isinstance(rule, DistanceRule) and rule.uncertainty:
            sigma = self._of(self._bucket.extra["sigma"])
            window = window + np.minimum(sigma[apart:], sigma[:-apart]) * rule.uncertainty
        self._price(rule, ~(gap <= window), costs, forbidden)
        gap *= 1.0 / self._frame.bases[rule.name]
        costs += np.minimum(gap, MOST_GAP_COST, out=gap)

    def _latency_kept(self, rule: LatencyRule, apart: int) -> NDArray[np.bool_]:
        latency = self._of(self._bucket.extra["highest latency"])
        most = self._at_pair(rule, "maxLatencyMs", rule.max_latency_ms, apart)
        highest = np.fmax(latency[apart:], latency[:-apart])
        missing = np.isnan(latency[apart:]) | np.isnan(latency[:-apart])
        kept: NDArray[np.bool_] = highest <= most
        kept |= np.isnan(highest)
        kept &= ~missing if rule.on_missing == "reject" else np.ones(1, bool)
        return kept | ~self._present(rule, apart)

    def _present(self, rule: Rule, apart: int) -> NDArray[np.bool_]:
        """Where the rule is not disabled by age."""
        present: NDArray[np.bool_] = self._at_pair(rule, "", 0.0, apart) == 0.0
        return present

    def _at_pair(self, rule: Rule, field: str, base: float, apart: int) -> Floats:
        """A rule's number at the age that counts for the pairs (i, i + apart); infinite where the rule is disabled."""
        schedule = self._frame.schedule
        if not schedule.vary(rule.name, field):
            return np.full(max(0, self.count - apart), base)
        if self._average:
            return schedule.column(rule.name, field, base, (self._ages[apart:] + self._ages[:-apart]) / 2)
        key = rule.name, field
        if key not in self._windows:
            self._windows[key] = schedule.column(rule.name, field, base, self._ages)
        own = self._windows[key]
        if schedule.only_grows(rule.name, field):
            chosen: Floats = (np.minimum if self._newest else np.maximum)(own[apart:], own[:-apart])
            return chosen
        older = self._ages[apart:] >= self._ages[:-apart]
        return np.where(older != self._newest, own[apart:], own[:-apart])


def pair_columns(
    frame: Frame, bucket: Bucket, cut: float, admits: Admits | None, places: Places | None = None, *, by_rating: bool = True
) -> Pairs:
    """The pairs of a queue.

    Args:
        cut: from 0 to 1, where the first cut is.
        admits: asked about pairs (places in the rating order) if the pool has rules that no column holds.
        places: those to pair, in order; all if left out.
        by_rating: whether that order is the ratings'.

    Returns:
        places in the rating order; each place at most once.
    """
    if places is None:
        places = np.arange(len(bucket))
        board = Board(frame, bucket)
    else:
        board = Board(frame, bucket, places, by_rating=by_rating)
    low = high = np.empty(0, np.intp)
    left = np.ones(len(bucket), bool)
    for _ in range(2):
        if board.count < 2:
            break
        a, b = _settle(board, cut, _translated(admits, places))
        low, high = np.concatenate((low, places[a])), np.concatenate((high, places[b]))
        left[low] = left[high] = False
        places = places[left[places]]
        board = Board(frame, bucket, places, by_rating=by_rating)
    return low, high


def _translated(admits: Admits | None, places: Places) -> Admits | None:
    return None if admits is None else lambda i, j: admits(int(places[i]), int(places[j]))


def _settle(board: Board, cut: float, admits: Admits | None) -> Pairs:
    """Passes 1 and 2 over a board, and again over the segments in which a pair was forbidden."""
    count = board.count
    length = int(min(_LONGEST, max(_SHORTEST, 2 ** np.ceil(np.log2(max(1, count / _SEGMENTS))))))
    before = int(cut * length) if count > length else 0
    segments = -(-(before + count) // length)

    def laid(values: Floats, fill: float) -> Floats:
        whole = np.full(segments * length, fill)
        whole[before : before + len(values)] = values
        return np.ascontiguousarray(whole.reshape(segments, length).T)

    waiting = laid(board.waiting(), 0.0)
    near = laid(board.pairs(1), FORBIDDEN)
    partner = _settle_neighbours(waiting, near)
    crowded = np.flatnonzero(((partner == 0) & (waiting > 0)).sum(axis=0) > 1)
    costs: list[Floats] = []
    if len(crowded):
        costs = [near, laid(board.pairs(2), FORBIDDEN), laid(board.pairs(3), FORBIDDEN)]
        partner[:, crowded] = _settle_patterns(waiting[:, crowded], [cost[:, crowded] for cost in costs])
    if admits is None:
        return _pairs(partner, before)
    again = np.arange(segments)
    for _ in range(_ASKED_AGAIN):
        bad = _forbidden(partner, again, before, length, admits)
        if not len(bad[0]):
            return _pairs(partner, before)
        costs = costs or [near, laid(board.pairs(2), FORBIDDEN), laid(board.pairs(3), FORBIDDEN)]
        for step, segment in zip(*bad, strict=True):
            costs[int(partner[step, segment]) - 1][step, segment] = FORBIDDEN
        again = np.unique(bad[1])
        partner[:, again] = _settle_patterns(waiting[:, again], [cost[:, again] for cost in costs])
    for step, segment in zip(*_forbidden(partner, again, before, length, admits), strict=True):
        partner[step, segment] = 0
    return _pairs(partner, before)


def _forbidden(partner: NDArray[np.int8], segments: Places, before: int, length: int, admits: Admits) -> tuple[list[int], list[int]]:
    """The pairs of these segments that a rule without a column forbids: step and segment of the lower ticket."""
    steps, which = np.nonzero(partner[:, segments] > 0)
    which = segments[which]
    low = which * length + steps - before
    high = low + partner[steps, which]
    bad = [n for n, (i, j) in enumerate(zip(low.tolist(), high.tolist(), strict=True)) if not admits(i, j)]
    return steps[bad].tolist(), which[bad].tolist()


def _pairs(partner: NDArray[np.int8], before: int) -> Pairs:
    """From the board of partners to places in the order."""
    steps = partner.T.ravel()
    low = np.flatnonzero(steps > 0)
    return low - before, low - before + steps[low]


def _settle_neighbours(waiting: Floats, near: Floats) -> NDArray[np.int8]:
    """How far above its partner is, for the lower ticket of each pair; -1 for the higher one, 0 for who waits.

    Args:
        waiting, near: steps × segments.
    """
    length = len(waiting)
    pairs = np.empty(waiting.shape, bool)  # pairs[t]: the best end at t pairs it with t - 1
    pairs[0] = False
    two, one = np.zeros(waiting.shape[1]), waiting[0].copy()
    pair, wait = np.empty_like(one), np.empty_like(one)
    for t in range(1, length):
        np.add(two, near[t - 1], out=pair)
        np.add(one, waiting[t], out=wait)
        np.less(pair, wait, out=pairs[t])
        np.minimum(pair, wait, out=two)
        two, one = one, two
    for t in range(length - 2, -1, -1):
        np.greater(pairs[t], pairs[t + 1], out=pairs[t])  # who is already the lower of a pair does not pair downwards
    partner = np.zeros(waiting.shape, np.int8)
    partner[:-1] = pairs[1:]
    partner -= pairs
    return partner


# How many tickets a pattern settles; and (lower, distance) of its pairs, counted back from its end.
_PATTERNS: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = (
    (1, ()),
    (2, ((2, 1),)),
    (3, ((3, 2),)),
    (4, ((4, 2), (3, 2))),
    (4, ((4, 3), (3, 1))),
    (4, ((4, 3),)),
)


def _settle_patterns(waiting: Floats, costs: Sequence[Floats]) -> NDArray[np.int8]:
    """As `_settle_neighbours`, by the six patterns of `duel`; `costs` for distances 1, 2 and 3."""
    length, segments = waiting.shape
    c1, c2, c3 = costs
    best = np.full((length + 1, segments), FORBIDDEN * 2.0)
    best[0] = 0.0
    chosen = np.zeros((length + 1, segments), np.int8)
    options = np.empty((6, segments))
    for t in range(1, length + 1):
        i = t - 1
        options[:] = FORBIDDEN * 8.0
        np.add(best[t - 1], waiting[i], out=options[0])
        if t > 1:
            np.add(best[t - 2], c1[i - 1], out=options[1])
        if t > 2:
            options[2] = best[t - 3] + c2[i - 2] + waiting[i - 1]
        if t > 3:
            far = best[t - 4] + c3[i - 3]
            options[3] = best[t - 4] + c2[i - 3] + c2[i - 2]
            options[4] = far + c1[i - 2]
            options[5] = far + waiting[i - 1] + waiting[i - 2]
        chosen[t] = options.argmin(axis=0)
        best[t] = options.min(axis=0)
    return _walk_back(chosen)


def _walk_back(chosen: NDArray[np.int8]) -> NDArray[np.int8]:
    length, segments = len(chosen) - 1, chosen.shape[1]
    partner = np.zeros((length, segments), np.int8)
    at = np.full(segments, length)
    sizes = np.array([size for size, _ in _PATTERNS])
    for t in range(length, 0, -1):
        here = np.flatnonzero(at == t)
        if not len(here):
            continue
        which = chosen[t, here]
        for number, (_, pairs) in enumerate(_PATTERNS):
            those = here[which == number]
            for back, apart in pairs:
                partner[t - back, those] = apart
                partner[t - back + apart, those] = -1
        at[here] = t - sizes[which]
    return partner
