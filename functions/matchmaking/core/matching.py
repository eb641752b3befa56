"""`find_matches`: one round over one queue."""

from random import Random

from .pool import PoolRules
from .queue import QueueView
from .round import Round


def find_matches(queue: QueueView, rules: PoolRules, now: float, random: Random) -> Round:
    """Put waiting tickets together."""
    raise NotImplementedError
