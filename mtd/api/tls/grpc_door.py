"""The gRPC door's TLS: credentials that take new certificates at each handshake.

gRPC for Python either demands certificates of callers at a port or doesn't ask for them: there is no way to
ask and leave it to them. So those who have certificates come by a port of their own.
"""

from __future__ import annotations

import grpc

from mtd.api import metrics
from mtd.api.tls.material import LiveMaterial, Material


def server_credentials(live: LiveMaterial, port: str, *, demand_certificates: bool) -> grpc.ServerCredentials:
    """Return the credentials of one port. ``port`` is its name, for metrics."""
    handshakes = metrics.TLS_HANDSHAKES.labels(port=port)
    given = live.version

    def newest() -> grpc.ServerCertificateConfiguration | None:
        # Called by threads of gRPC's, before each handshake. One that is too early by a moment gets what was good.
        nonlocal given
        handshakes.inc()
        if live.version == given:
            return None
        given = live.version
        return _configuration(live.current, demand_certificates=demand_certificates)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(live.current, demand_certificates=demand_certificates),
        newest,  # type: ignore[arg-type]  # None: nothing has changed
        demand_certificates,
    )


def _configuration(material: Material, *, demand_certificates: bool) -> grpc.ServerCertificateConfiguration:
    authorities = material.client_authorities if demand_certificates else None
    return grpc.ssl_server_certificate_configuration([(material.key, material.chain)], authorities)
