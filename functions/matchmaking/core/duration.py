"""Durations as people write them (`15s`, `5m`, `1h30m`, `250ms`), held as seconds."""

import re
from typing import Any

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
_WHOLE = re.compile(PATTERN)
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
LONGEST = 7 * 24 * 3600.0  # s; a week is beyond every game's patience, and keeps milliseconds exact in a double


class Duration(float):
    """Seconds; written in manifests as `15s`, `1m30s`, `250ms`. At most seven days."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: Any) -> "Duration":
        """Read a duration.

        Args:
            value: a string like `1m30s`, or a number of seconds.

        Raises:
            ValueError: it is neither, is negative, or is longer than seven days.
        """
        if isinstance(value, str):
            if not _WHOLE.match(value):
                raise ValueError(f"expected a duration such as `15s`, `5m` or `1h30m`, got `{value[:40]}`")
            seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            seconds = float(value)
        else:
            raise ValueError(f"expected a duration such as `15s`, got a value of type {type(value).__name__}")  # noqa: TRY004 - msgspec reports ValueError with the field's path
        if not 0 <= seconds <= LONGEST:
            raise ValueError("expected a duration between 0s and 168h")
        return cls(seconds)

    def __str__(self) -> str:
        """The shortest of our own spellings that keeps the value: `90s`, `5m`, `1h`, `250ms`."""
        if self and self % 3600 == 0:
            return f"{int(self // 3600)}h"
        if self and self % 60 == 0:
            return f"{int(self // 60)}m"
        if float(self).is_integer():
            return f"{int(self)}s"
        return f"{round(self * 1000)}ms"
