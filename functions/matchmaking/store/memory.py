"""The store's twin in memory: the same answers as Redis', for tests and for simulations that try every interleaving. Passes the same contract tests.

Each method runs without a pause, as a script does. Publications go to `published`, where tests can read them.
"""

from .in_memory.connections import MemoryConnections
from .in_memory.delivery import MemoryDelivery
from .in_memory.joining import MemoryJoining
from .in_memory.matching import MemoryMatching
from .in_memory.measuring import MemoryMeasuring
from .in_memory.owners import MemoryOwners
from .in_memory.parties import MemoryParties
from .in_memory.pools import MemoryPools
from .in_memory.sessions import MemorySessions


class MemoryStore(
    MemoryJoining,
    MemoryMatching,
    MemoryDelivery,
    MemoryConnections,
    MemoryParties,
    MemoryPools,
    MemoryOwners,
    MemorySessions,
    MemoryMeasuring,
):
    """`interface.Store` without Redis."""
