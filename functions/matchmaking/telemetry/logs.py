"""Logs: one line for each thing that happened, with fields from a fixed list, as JSON in pods and readable in a terminal.

Fields outside `FIELDS` are refused, so that nothing secret gets into a log by accident; ids of people's things are hashed if a key is set. structlog renders the
lines (`rendering.py`), except in matchers: importing it takes longer than a matcher may take to start, so those write the same JSON by `_Json` here
(a test compares the two).
"""

import hashlib
import hmac
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

FIELDS = frozenset({
    "gateway", "matcher", "player", "ticket", "match", "pool", "region", "mode", "code", "reason", "error", "count", "seconds", "rounds", "matches",
    "tickets", "conflicts", "revision", "host", "port", "url", "level", "signal", "namespace", "trace_id",
})  # fmt: skip
ID_FIELDS = frozenset({"player", "ticket", "match"})
HASH_LENGTH = 16  # hexadecimal digits: 64 bits, enough that two of a day's ids do not meet


def happened(logger: logging.Logger, event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log that something happened.

    Args:
        event: what, as a few words that stay the same for the same thing.
        fields: details; their names are among `FIELDS`.
    """
    unknown = fields.keys() - FIELDS
    if unknown:
        raise ValueError(f"log fields must be in the allow-list; add {sorted(unknown)} to FIELDS if they are safe to write down")
    if logger.isEnabledFor(level):
        logger.log(level, event, extra={"fields": fields})


def configure_logs(form: Literal["json", "text"], level: str = "INFO", *, id_key: str = "", quick: bool = False) -> None:
    """Send the log to standard error in the given form.

    Args:
        id_key: if given, ids of players, tickets and matches are written as their hash under this key.
        quick: for a process that must start fast: structlog is not loaded.
    """
    handler = logging.StreamHandler(sys.stderr)
    if quick:
        handler.setFormatter(_Json() if form == "json" else _Text())
    else:
        from .rendering import formatter

        handler.setFormatter(formatter(form, colours=form == "text" and sys.stderr.isatty()))
    if id_key:
        handler.addFilter(_HashIds(id_key))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def hashed(value: str, key: str) -> str:
    """An id as its hash under a key: the same id always looks the same, and cannot be guessed by hashing candidates."""
    return hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()[:HASH_LENGTH]


def timestamp(record: logging.LogRecord) -> str:
    """When it happened, RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _HashIds(logging.Filter):
    """Hashes ids before they are rendered."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key

    def filter(self, record: logging.LogRecord) -> bool:
        fields = getattr(record, "fields", None)
        if fields:
            record.fields = {
                name: hashed(str(value), self._key) if name in ID_FIELDS and value else value for name, value in fields.items()
            }
        return True


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=repr)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in getattr(record, "fields", {}).items())
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7} {record.getMessage()} {fields}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
