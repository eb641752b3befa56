"""How much one connection, one player and one address may ask of this gateway. Each gateway counts for itself: a client that speaks to several is
limited by each, and a player has one connection anyway."""

from collections.abc import Hashable

from matchmaking.protocol.rate import Rate, admit

FULL = 100_000  # keys; then those that are not behind are forgotten


class Limit:
    """One rate for many keys; None lets everything pass."""

    __slots__ = ("_arrivals", "rate")

    def __init__(self, rate: Rate | None) -> None:
        self.rate = rate
        self._arrivals: dict[Hashable, float] = {}

    def admit(self, key: Hashable, now: float) -> float:
        """Count one; the seconds to wait if it is too much, else 0."""
        if self.rate is None:
            return 0.0
        arrivals = self._arrivals
        arrivals[key], wait = admit(arrivals.get(key, 0.0), self.rate, now)
        if len(arrivals) > FULL:
            self._arrivals = {key: arrival for key, arrival in arrivals.items() if arrival > now}
        return wait

    def forget(self, key: Hashable) -> None:
        """It will not come again."""
        self._arrivals.pop(key, None)


class Limits:
    """A gateway's limits.

    Attributes:
        connection, player: messages, and for players HTTP requests too.
        address: messages, HTTP requests and attempts to connect.
    """

    def __init__(self, connection: Rate | None, player: Rate | None, address: Rate | None) -> None:
        self.connection, self.player, self.address = Limit(connection), Limit(player), Limit(address)

    def message(self, connection: Hashable, player: str, address: str, now: float) -> float:
        """Count a message; the seconds to wait if it is too much, else 0."""
        return self.connection.admit(connection, now) or self.player.admit(player, now) or self.address.admit(address, now)

    def request(self, address: str, now: float) -> float:
        """Count an HTTP request or an attempt to connect."""
        return self.address.admit(address, now)
