"""Spans by OpenTelemetry, from what `traces.py` noted, and their way to a collector. Loaded only where traces are on.

What the exporter reads from the environment besides (`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_CERTIFICATE`, …) is OpenTelemetry's own and works as it says.
"""

import os

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from matchmaking import __version__

from .logs import hashed
from .traces import Call, Noted, NotedMatch

SEND_TIMEOUT = 2.0  # s for one batch, retries included: a collector that is away must not hold up a process that ends
SEND_EVERY = 1000  # ms
WELL = frozenset({"joined", "repeated", "committed"})
_propagator = TraceContextTextMapPropagator()


class Spans:
    """One process' spans; see `traces.Traces` for the arguments."""

    def __init__(self, service: str, endpoint: str, ratio: float, id_key: str) -> None:
        resource = Resource.create(
            {
                "service.namespace": "game-session-manager",
                "service.name": f"matchmaking-{service}",
                "service.version": __version__,
                "host.name": os.uname().nodename,
                "process.pid": os.getpid(),
            }
        )
        self._id_key = id_key
        self._provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(ratio)), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=SEND_TIMEOUT)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=SEND_EVERY))
        self._tracer = self._provider.get_tracer("matchmaking", __version__)

    def begin_join(self, pool: str, region: str, mode: str) -> tuple[Span, str]:
        """A join's span, and its `traceparent`: empty if the join is not among those that are traced."""
        attributes = {"game.pool": pool, **({"game.region": region} if region else {}), **({"game.mode": mode} if mode else {})}
        span = self._tracer.start_span("queue_join", Context(), SpanKind.SERVER, attributes)
        carrier: dict[str, str] = {}
        if span.get_span_context().trace_flags.sampled:
            _propagator.inject(carrier, set_span_in_context(span, Context()))
        return span, carrier.get("traceparent", "")

    def end_join(self, span: Span, noted: Noted) -> None:
        """The join was answered."""
        if noted.ticket:
            span.set_attribute("game.ticket", self._id(noted.ticket))
        self._calls(span, noted.calls)
        self._end(span, noted)

    def matched(self, found: NotedMatch) -> None:
        """A proposed match of traced tickets: spans in the trace of each."""
        noted = found.noted
        first: Span | None = None
        attributes: dict[str, AttributeValue] = {
            "game.pool": found.pool,
            "game.region": found.match.region,
            "game.match": self._id(found.id),
            "game.match.tickets": len(found.match.tickets),
        }
        for ticket in found.match.tickets:
            if not ticket.trace:
                continue
            parent, own = _context(ticket.trace), {**attributes, "game.mode": ticket.mode, "game.ticket": self._id(ticket.id)}
            if noted.outcome == "committed":
                since = round(ticket.enqueued * 1e9)
                self._tracer.start_span("wait", parent, SpanKind.INTERNAL, own, start_time=since).end(max(since, noted.began))
            links: list[Link] = [Link(first.get_span_context())] if first else []
            span = self._tracer.start_span("match", parent, SpanKind.CONSUMER, own, links, noted.began)
            if first is None:
                first = span
                self._calls(span, noted.calls)
            self._end(span, noted)

    def delivered(self, traceparent: str, match_id: str, since: int) -> None:
        """A player was told of a match that was committed at `since`, ns."""
        attributes = {"game.match": self._id(match_id)}
        self._tracer.start_span("match_found", _context(traceparent), SpanKind.PRODUCER, attributes, start_time=since).end()

    def close(self) -> None:
        """Send what there is; after `SEND_TIMEOUT` for each batch, what could not be sent is lost."""
        self._provider.shutdown()

    def _calls(self, parent: Span, calls: list[Call]) -> None:
        context = set_span_in_context(parent, Context())
        for call in calls:
            attributes = {"db.system.name": "redis", "db.operation.name": call.script}
            span = self._tracer.start_span(f"redis {call.script}", context, SpanKind.CLIENT, attributes, start_time=call.began)
            if call.failed:
                span.set_status(StatusCode.ERROR)
            span.end(call.ended)

    @staticmethod
    def _end(span: Span, noted: Noted) -> None:
        span.set_attribute("game.outcome", noted.outcome)
        if noted.outcome not in WELL:
            span.set_status(Status(StatusCode.ERROR, noted.outcome))
        span.end(noted.ended)

    def _id(self, name: str) -> str:
        return hashed(name, self._id_key) if self._id_key else name


def _context(traceparent: str) -> Context:
    return _propagator.extract({"traceparent": traceparent}, Context())
