"""Logs: one line for each thing that happened, with fields from a fixed list, as JSON in pods and readable in a terminal.

Fields outside `FIELDS` are refused, so that nothing secret gets into a log by accident.
"""

import json
import logging
import sys
from typing import Any, Literal

FIELDS = frozenset({
    "gateway", "matcher", "player", "ticket", "match", "pool", "region", "mode", "code", "reason", "error", "count", "seconds", "rounds", "matches",
    "tickets", "conflicts", "revision", "host", "port", "url", "level", "signal",
})  # fmt: skip


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **fields,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in getattr(record, "fields", {}).items())
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7} {record.getMessage()} {fields}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure_logs(form: Literal["json", "text"], level: str = "INFO") -> None:
    """Send the log to standard error in the given form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


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
