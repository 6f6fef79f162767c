"""What texts for users call the service at the other end, and where it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """A service of a router.

    ``here`` says where to look for it. ``plain`` and ``secure`` name what may
    be on the port instead: the same service without TLS, and with it.
    """

    name: str
    here: str
    plain: str
    secure: str
    secure_name: str


API = Service(
    name="the API service",
    here="the API is on 8728 (8729 with TLS) unless changed in /ip/service",
    plain="the plain API (8728)",
    secure="the API over TLS (8729)",
    secure_name="api-ssl",
)
REST = Service(
    name="the web service",
    here="REST is on the port of www-ssl (443), or of www (80), in /ip/service",
    plain="www without TLS (80)",
    secure="www-ssl (443)",
    secure_name="www-ssl",
)
