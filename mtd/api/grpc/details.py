"""Details of errors in Google's vocabulary, for programs that know it: ``ErrorInfo`` and ``RetryInfo``."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

KEY = "grpc-status-details-bin"
DOMAIN = "mtd"


def details_of(code: int, message: str, reason: str, hint: str, retry_after_s: float) -> bytes:
    """Return what goes into trailing metadata under ``KEY``."""
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN)
    if hint:
        info.metadata["hint"] = hint
    status = status_pb2.Status(code=code, message=message)
    status.details.add().Pack(info)
    if retry_after_s > 0:
        delay = Duration()
        delay.FromMilliseconds(round(retry_after_s * 1000))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return bytes(status.SerializeToString())
