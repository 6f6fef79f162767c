"""Spans, made with OpenTelemetry's SDK and sent over OTLP. Imported only where traces are on."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context
from opentelemetry.trace.status import Status, StatusCode

from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Misconfigured
from mtd.core.limits import TokenBucket
from mtd.core.queues import Policy, declare
from mtd.core.tracing.link import Link
from mtd.core.tracing.metrics import SPANS, TRACES

if TYPE_CHECKING:
    import grpc
    from opentelemetry.context import Context
    from opentelemetry.trace import Span as OtelSpan

    from mtd.core.tracing.config import TracingConfig
    from mtd.core.tracing.spans import Attribute

logger = logging.getLogger(__name__)

SPANS_WAITING = declare(
    "tracing.spans",
    "spans",
    Policy.DROP_NEWEST,
    "Spans that wait to be sent to the collector of traces.",
    limited_by="tracing.queue_spans",
    counted_by="mtd_tracing_spans_total",
)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_COMPLAINTS_PER_S = 1 / 60


class OtelTracer:
    """Makes spans and sends them, in a thread of its own. Its methods never wait."""

    def __init__(self, config: TracingConfig, *, instance: str, version: str) -> None:
        """Prepare everything; reads files, so it belongs into a thread. Raises Misconfigured."""
        # Failures are counted, and told now and then, by us: it would write a line for each attempt.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        exporter = OTLPSpanExporter(
            endpoint=config.endpoint,
            insecure=config.endpoint.startswith("http:"),
            credentials=_credentials(config),
            headers=_headers(config.headers_file),
            timeout=config.timeout_s,
        )
        self._counted = _CountingExporter(exporter, config.endpoint)
        batches = BatchSpanProcessor(
            self._counted,
            max_queue_size=config.queue_spans,
            schedule_delay_millis=config.interval_s * 1000,
            max_export_batch_size=config.batch_spans,
        )
        self._provider = TracerProvider(
            # Whether a trace is sampled is decided before anything of it is made.
            sampler=ALWAYS_ON,
            resource=Resource(
                {
                    "service.name": config.service_name,
                    "service.version": version,
                    "service.instance.id": instance,
                }
            ),
            shutdown_on_exit=False,
        )
        self.queue = _Bounded(batches, self._counted, config.queue_spans)
        self._provider.add_span_processor(self.queue)
        self._tracer = self._provider.get_tracer("mtd", version)
        self._ratio = config.sample_ratio
        self._callers = TokenBucket(config.callers_per_s, max(1.0, config.callers_per_s), clock=SYSTEM_CLOCK)
        self._random = random.Random()  # noqa: S311 - which poll is traced is no secret

    def chosen(self) -> bool:
        """Whether a trace that could begin now is to be sampled."""
        return self._ratio > 0 and self._random.random() < self._ratio

    def follows(self) -> bool:
        """Whether a caller's trace that comes now is to be followed."""
        if self._callers.take():
            return True
        TRACES.labels(origin="too_many").inc()
        return False

    def start(
        self, name: str, parent: Link | None, attributes: Mapping[str, Attribute], *, serves: bool = False
    ) -> OtelStep:
        """Begin a span."""
        context: Context | None = None
        if parent is not None:
            remote = SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=_SAMPLED)
            context = set_span_in_context(NonRecordingSpan(remote))
        if parent is None or serves:
            TRACES.labels(origin="own" if parent is None else "caller").inc()
        kind = SpanKind.SERVER if serves else SpanKind.INTERNAL
        return OtelStep(self._tracer.start_span(name, context, kind, attributes))

    def stop(self, within_s: float) -> None:
        """Send what waits, for so long; what is left then is lost. Blocks: for a thread."""
        # Whoever is still sending then is woken: nothing of this may hold up the end of the process.
        timer = threading.Timer(within_s, self._counted.shutdown)
        timer.daemon = True
        timer.start()
        try:
            self._provider.shutdown()
        finally:
            timer.cancel()
        self.queue.give_up()


class OtelStep:
    """A span that is under way."""

    __slots__ = ("_span", "link")

    def __init__(self, span: OtelSpan) -> None:
        self._span = span
        context = span.get_span_context()
        self.link = Link(context.trace_id, context.span_id)

    def set(self, name: str, value: Attribute) -> None:
        """Add what is only known later."""
        self._span.set_attribute(name, value)

    def end(self, error: str = "") -> None:
        """End it."""
        if error:
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()


class _Bounded(SpanProcessor):
    """The way to the batches: refuses what finds no room there, and counts it; the SDK would only write a line.

    ``waiting`` is never less than what the SDK's own queue holds, which is as long.
    """

    def __init__(self, batches: BatchSpanProcessor, exporter: _CountingExporter, limit: int) -> None:
        self._batches = batches
        self._exporter = exporter
        self._lock = threading.Lock()
        self._accepted = 0
        self.limit = limit
        SPANS_WAITING.watch(self, lambda one: one.waiting, lambda one: one.limit)

    @property
    def waiting(self) -> int:
        """How many spans wait to be sent."""
        return self._accepted - self._exporter.taken

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that ended, in whatever thread it did."""
        with self._lock:
            if self.waiting >= self.limit:
                SPANS.labels(outcome="dropped").inc()
                return
            self._accepted += 1
        self._batches.on_end(span)

    def shutdown(self) -> None:
        """Send what waits."""
        self._batches.shutdown()  # type: ignore[no-untyped-call]

    def give_up(self) -> None:
        """Count what was not sent in time."""
        with self._lock:
            left = self.waiting
            self._accepted -= left
        SPANS.labels(outcome="failed").inc(left)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits, now. Blocks."""
        return self._batches.force_flush(timeout_millis)


class _CountingExporter(SpanExporter):
    """Counts what came of each sending."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self._exporter = exporter
        self._endpoint = endpoint
        self._complaints = TokenBucket(_COMPLAINTS_PER_S, 1, clock=SYSTEM_CLOCK)
        self._ended = False
        self.taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans, within the time that is set."""
        self.taken += len(spans)  # by one thread at a time: the SDK has a lock around it
        try:
            result = self._exporter.export(spans)
        except Exception:  # whatever it is, it must not end the thread that sends
            if not self._ended:  # else the connection was closed under it
                logger.exception("sending traces failed by an error")
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            SPANS.labels(outcome="exported").inc(len(spans))
        else:
            SPANS.labels(outcome="failed").inc(len(spans))
            if not self._ended and self._complaints.take():
                logger.warning(
                    "%s takes no traces: %d spans are lost. Look at [tracing] endpoint, and whether it runs",
                    self._endpoint,
                    len(spans),
                )
        return result

    def shutdown(self) -> None:
        """Close the connection."""
        if not self._ended:
            self._ended = True
            self._exporter.shutdown()


def _credentials(config: TracingConfig) -> grpc.ChannelCredentials | None:
    if config.endpoint.startswith("http:"):
        return None
    import grpc

    roots = None if config.ca_file is None else _read(config.ca_file, "tracing.ca_file")
    return grpc.ssl_channel_credentials(root_certificates=roots)


def _headers(path: Path | None) -> tuple[tuple[str, str], ...]:
    if path is None:
        return ()
    pairs: list[tuple[str, str]] = []
    for number, line in enumerate(
        _read(path, "tracing.headers_file").decode(errors="replace").splitlines(), 1
    ):
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or not name.strip():
            raise Misconfigured(f"tracing.headers_file: line {number} is no `name: value`")
        pairs.append((name.strip().lower(), value.strip()))
    return tuple(pairs)


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{setting}: {path} can't be read: {error.strerror}") from None
