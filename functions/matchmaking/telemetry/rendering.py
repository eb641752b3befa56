"""Log lines by structlog: JSON for pods, columns and colours for a terminal. Records of other libraries are rendered in the same form."""

import logging
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from .logs import timestamp


def formatter(form: Literal["json", "text"], *, colours: bool) -> logging.Formatter:
    """A formatter for a handler of the standard library's logging."""
    render: list[Processor]
    if form == "json":
        render = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=repr)]
    else:
        plain = structlog.dev.plain_traceback
        render = [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain, pad_event_to=0, timestamp_key="time")]
    return structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render], foreign_pre_chain=[_from_record]
    )


def _from_record(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """The line's keys, in their order."""
    record: logging.LogRecord = event["_record"]
    line: EventDict = {
        "time": timestamp(record),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": event["event"],
        **getattr(record, "fields", {}),
    }
    if record.exc_info:
        line["exc_info"] = record.exc_info
    line["_record"], line["_from_structlog"] = record, event["_from_structlog"]
    return line
