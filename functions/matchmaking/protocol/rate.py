"""Limits by the generic cell rate algorithm: one number for each who is limited, no matter how large the burst.

The number is the theoretical arrival time: when the last admitted cell would have come, had all come evenly. A cell is admitted if it is at most `burst` cells
early (ITU-T I.371, annex A; the virtual scheduling form).
"""

from msgspec import Struct


class Rate(Struct, frozen=True):
    """So many each second, and so many at once after a pause."""

    per_second: float
    burst: int


def admit(arrival: float, rate: Rate, now: float) -> tuple[float, float]:
    """Admit one or not.

    Args:
        arrival: the theoretical arrival time so far, seconds; 0 at first.

    Returns:
        the new one, and the seconds after which one would be admitted: 0 if this one was.
    """
    interval = 1 / rate.per_second
    expected = max(arrival, now)
    early = expected - now - (rate.burst - 1) * interval
    return (expected + interval, 0.0) if early <= 0 else (arrival, early)


def parse_rate(text: str) -> Rate | None:
    """Read `per second/burst`, for example `20/100`; `off` is None.

    Raises:
        ValueError: it is neither.
    """
    if text == "off":
        return None
    per_second, slash, burst = text.partition("/")
    if not slash or not 0 < float(per_second) <= 1e9 or not 1 <= int(burst) <= 10**9:
        raise ValueError(f"`{text}` is no limit: write so many each second, a slash, and so many at once (20/100), or off")
    return Rate(float(per_second), int(burst))
