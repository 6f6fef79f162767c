"""A collector of traces, such as others run: it takes spans over OTLP, and keeps them for a test to look at."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


@dataclass(frozen=True, slots=True)
class Taken:
    """A span as it came in, and what program it is of."""

    trace: str
    span: str
    parent: str
    name: str
    start_ns: int
    end_ns: int
    failed: str
    attributes: dict[str, object]
    resource: dict[str, object] = field(repr=False)


class Receiver(TraceServiceServicer):
    """Keeps what comes. ``hold`` makes it answer only when that is set; ``refuse`` makes it answer with an error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[Taken] = []
        self.metadata: list[dict[str, str]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.address = ""

    def Export(
        self, request: pb.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> pb.ExportTraceServiceResponse:
        """Take spans."""
        self.hold.wait()
        found = [
            Taken(
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                span.name,
                span.start_time_unix_nano,
                span.end_time_unix_nano,
                span.status.message,
                _values(span.attributes),
                _values(resource.resource.attributes),
            )
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._lock:
            self._spans += found
            self.metadata.append({key: str(value) for key, value in context.invocation_metadata()})
        return pb.ExportTraceServiceResponse()

    def spans(self) -> list[Taken]:
        """Return what came so far."""
        with self._lock:
            return list(self._spans)

    def traces(self) -> dict[str, list[Taken]]:
        """Return what came so far, by trace."""
        found: dict[str, list[Taken]] = {}
        for span in self.spans():
            found.setdefault(span.trace, []).append(span)
        return found


def _values(pairs: Iterable[KeyValue]) -> dict[str, object]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}


@contextmanager
def receiver(port: int = 0) -> Iterator[Receiver]:
    """Run one on a port of this machine."""
    taking = Receiver()
    server = grpc.server(ThreadPoolExecutor(4))
    add_TraceServiceServicer_to_server(taking, server)  # type: ignore[no-untyped-call]
    taking.address = f"http://127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    server.start()
    try:
        yield taking
    finally:
        taking.hold.set()
        server.stop(None).wait()
