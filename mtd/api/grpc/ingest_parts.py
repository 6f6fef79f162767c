"""The services of ingest, ready to be added to the door."""

from __future__ import annotations

from collections.abc import Sequence

from mtd.api.grpc.ingest import IngestServicer
from mtd.api.grpc.ingest_keys import IngestKeyBackend, IngestKeyServicer
from mtd.api.grpc.server import ServicePart
from mtd.pb.admin.v1.ingest_key_service_pb2_grpc import add_IngestKeyServiceServicer_to_server
from mtd.pb.ingest.v1.ingest_service_pb2_grpc import add_IngestServiceServicer_to_server


def ingest_parts(servicer: IngestServicer, keys: IngestKeyBackend) -> Sequence[ServicePart]:
    """Return the services."""
    return [
        ServicePart(add_IngestServiceServicer_to_server, servicer, servicer.drain, servicer.message_bytes),
        ServicePart(add_IngestKeyServiceServicer_to_server, IngestKeyServicer(keys)),
    ]
