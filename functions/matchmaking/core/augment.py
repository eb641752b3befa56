"""Makes a matching as large as it can be: Edmonds' augmenting paths, grown from the tickets that were left over.

The dynamic program before it looks a few neighbours ahead; what it leaves unmatched is rare, and an augmenting path, if there is one, is
mostly short. So each search lives in dictionaries of what it has touched and costs nothing for the rest of the queue. Covered tickets stay covered,
which is why a ticket that must not starve can be brought in afterwards without losing a pair (`exchange`).
"""

from collections.abc import Callable, Iterable, Sequence

Neighbours = Callable[[int], Sequence[int]]
_MOST_VISITED = 600  # vertices in one search: some 5 ms; longer paths were never needed in tests against the oracle


class Search:
    """One search for an augmenting path from `root` (Edmonds 1965, with blossoms contracted by their base).

    Args:
        mates: vertex → partner, -1 if none; changed by `augment` and `exchange`.
        neighbours: a vertex' admissible partners, best first.
    """

    def __init__(self, root: int, mates: list[int], neighbours: Neighbours) -> None:
        self._root = root
        self._mates = mates
        self._neighbours = neighbours
        self._parent: dict[int, int] = {}
        self._base: dict[int, int] = {}
        self._outer: dict[int, None] = {root: None}
        self._end = -1

    def run(self) -> bool:
        """Search; True if a path to another unmatched vertex was found and turned over."""
        queue = [self._root]
        for v in queue:
            if len(self._outer) > _MOST_VISITED:
                return False
            for to in self._neighbours(v):
                if self._mates[v] == to or self._of(v) == self._of(to):
                    continue
                if to in self._outer:
                    queue += self._contract(v, to)
                elif to not in self._parent:
                    self._parent[to] = v
                    mate = self._mates[to]
                    if mate < 0:
                        self._turn(to)
                        return True
                    self._outer[mate] = None
                    queue.append(mate)
        return False

    def exchange(self, may_wait: Callable[[int], bool]) -> bool:
        """After a search in vain: match the root and let another vertex wait that can be reached and may.

        Returns:
            whether there was one.
        """
        found = next((v for v in self._outer if v != self._root and may_wait(v)), None)
        if found is None:
            return False
        before, self._mates[found] = self._mates[found], -1
        self._turn(before)
        return True

    def _of(self, v: int) -> int:
        return self._base.get(v, v)

    def _turn(self, end: int) -> None:
        v = end
        while v >= 0:
            before = self._parent[v]
            following = self._mates[before]
            self._mates[v], self._mates[before] = before, v
            v = following if before != self._root else -1

    def _contract(self, v: int, to: int) -> list[int]:
        """Shrink the blossom that the edge closes; returns the vertices that became outer."""
        top = self._meeting(v, to)
        blossom: set[int] = set()
        self._mark(v, top, to, blossom)
        self._mark(to, top, v, blossom)
        became = []
        for i in list(dict.fromkeys((*self._outer, *self._parent))):
            if self._of(i) in blossom:
                self._base[i] = top
                if i not in self._outer:
                    self._outer[i] = None
                    became.append(i)
        return became

    def _meeting(self, a: int, b: int) -> int:
        seen = set()
        while True:
            a = self._of(a)
            seen.add(a)
            if a == self._of(self._root) or self._mates[a] < 0:
                break
            a = self._parent[self._mates[a]]
        while self._of(b) not in seen:
            b = self._parent[self._mates[self._of(b)]]
        return self._of(b)

    def _mark(self, v: int, top: int, child: int, blossom: set[int]) -> None:
        while self._of(v) != top:
            mate = self._mates[v]
            blossom.update((self._of(v), self._of(mate)))
            self._parent[v] = child
            child = mate
            v = self._parent[mate]


def enlarge(mates: list[int], left: Iterable[int], neighbours: Neighbours, must: Callable[[int], bool]) -> None:
    """Match what can be matched in addition.

    Args:
        mates: vertex → partner, -1 if none; changed in place.
        left: unmatched vertices, in order of precedence.
        must: which vertices are not to wait; one that does not may send a partnered one back to waiting.
    """
    for root in left:
        if mates[root] >= 0:
            continue
        search = Search(root, mates, neighbours)
        if not search.run() and must(root):
            search.exchange(lambda v: not must(v))
