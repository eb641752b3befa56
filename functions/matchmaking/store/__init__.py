"""The only place that knows Redis: key names, scripts, and one typed function for each script.

redis-py loads OpenTelemetry's metrics wherever they are installed, for metrics of its own that we do not use; that is a fifth of a matcher's time to start. So it
is loaded here first, while that import fails as if OpenTelemetry were not there; our own traces load it later, where they are on.
"""

import sys

_UNUSED = "opentelemetry"
if _UNUSED not in sys.modules:
    sys.modules[_UNUSED] = None  # type: ignore[assignment]  # Python's own way to say that a module cannot be imported
    try:
        import redis.asyncio as _  # noqa: F401
    finally:
        del sys.modules[_UNUSED]
