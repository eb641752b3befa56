"""Serves metrics to Prometheus, as plain text. The library's own server checks each label of each sample against patterns, and compresses: at the one gateway that
exports what all share that took longer than all counting of a second.
"""

import math
import socket
import threading
from collections.abc import Iterable, Iterator
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.metrics_core import Metric as Family

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def render(registry: CollectorRegistry) -> bytes:
    """Everything in a registry, in Prometheus' text format."""
    return "".join(line for family in registry.collect() for line in _lines(family)).encode()


def _lines(family: Family) -> Iterator[str]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    what = family.documentation.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} {what}\n# TYPE {name} {family.type}\n"
    for sample in family.samples:
        value = float(sample.value)
        shown = repr(value) if math.isfinite(value) else {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
        if sample.labels:
            labels = ",".join([f'{label}="{_escaped(text)}"' for label, text in sample.labels.items()])
            yield f"{sample.name}{{{labels}}} {shown}\n"
        else:
            yield f"{sample.name} {shown}\n"


def _escaped(text: str) -> str:
    return text.translate(_ESCAPED) if "\\" in text or "\n" in text or '"' in text else text


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Nobody wants a line for each scrape."""


def serve_metrics(port: int, host: str, registry: CollectorRegistry) -> tuple[WSGIServer, threading.Thread]:
    """Serve a registry from a thread of its own; whoever calls shuts the server down.

    Raises:
        OSError: the port is taken.
    """

    def answer(_environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        body = render(registry)
        start("200 OK", [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))])
        return [body]

    class Server(ThreadingWSGIServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    server = make_server(host, port, answer, Server, handler_class=_Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    return server, thread
