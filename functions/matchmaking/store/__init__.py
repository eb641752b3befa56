"""The only place that knows Redis: key names, scripts, and one typed function for each script.

A matcher's time to start is mostly its imports, and redis-py loads two things that we do not use: OpenTelemetry's metrics wherever they are installed, for
metrics of its own (a fifth of that time), and `importlib.metadata` with half of the e-mail package, to learn its own version (a tenth). So it is loaded here
first, while the one import fails as if OpenTelemetry were not there (our own traces load it later, where they are on), and the other finds a module that knows
just that version.
"""

import sys
from types import ModuleType

_UNUSED, _METADATA = "opentelemetry", "importlib.metadata"


def _load_redis() -> None:
    # None is the language's own way to say that a module cannot be imported
    stand_ins: dict[str, ModuleType | None] = {
        _UNUSED: None,
        _METADATA: _Metadata(_METADATA),
    }
    placed = {name: module for name, module in stand_ins.items() if name not in sys.modules}
    sys.modules.update(placed)  # type: ignore[arg-type]
    try:
        import redis.asyncio as _  # noqa: F401
    finally:
        for name in placed:
            del sys.modules[name]


class _Metadata(ModuleType):
    """What redis-py asks of `importlib.metadata`."""

    PackageNotFoundError = ModuleNotFoundError

    def version(self, name: str) -> str:
        """The version of redis-py, the only package that is asked for."""
        import redis

        assert name == "redis"  # noqa: S101 - see above
        return redis.__version__


_load_redis()
