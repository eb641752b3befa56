"""A collector that takes spans as OpenTelemetry's own does: OTLP, protobuf over HTTP, on a free port of the loopback address."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

PATIENCE = 30.0  # s, of a loaded machine


class Span(msgspec.Struct, frozen=True):
    """A span as it came; ids in hexadecimal, `parent` empty at a trace's root, times in ns."""

    name: str
    trace: str
    id: str
    parent: str
    service: str
    pid: int
    began: int
    ended: int
    failed: bool
    attributes: dict[str, Any]
    links: tuple[str, ...]


class TraceCollector:
    """What came, and where to send it."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                assert self.headers["Content-Type"] == "application/x-protobuf"
                collector.spans += spans_in(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(ExportTraceServiceResponse().SerializeToString())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """Its address, as a setting takes it."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def named(self, name: str) -> list[Span]:
        """All spans of that name."""
        return [span for span in self.spans if span.name == name]

    async def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait for spans: they come in batches, a second or so later."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{what}: there are {sorted(span.name for span in self.spans)}") from None


def spans_in(request: Any) -> Iterator[Span]:
    """The spans of a request."""
    for of_resource in request.resource_spans:
        resource = {each.key: each.value for each in of_resource.resource.attributes}
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Span(
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    resource["service.name"].string_value,
                    resource["process.pid"].int_value,
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    span.status.code == span.status.STATUS_CODE_ERROR,
                    {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes},
                    tuple(link.trace_id.hex() for link in span.links),
                )


@contextmanager
def trace_collector() -> Iterator[TraceCollector]:
    """A collector that serves."""
    collector = TraceCollector()
    thread = threading.Thread(target=collector.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.server.shutdown()
        collector.server.server_close()
        thread.join()
