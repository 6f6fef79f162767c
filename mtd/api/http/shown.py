"""What a caller of the HTTP door shows: token, session, certificate, and where it comes from."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.web.http import Request

from mtd.api.access.gate import is_loopback
from mtd.api.access.interfaces import Certificate, Credentials
from mtd.api.http.cookies import SESSION, TENANT, Cookies
from mtd.api.loopback import is_loopback_host

TENANT_HEADER = "mtd-tenant"
"""By which a caller says which tenant it works for: those who may choose. As gRPC's metadata have it."""

# What proxies add: what they pass on isn't of this machine, wherever they run.
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")

SIGNATURE_HEADER = "x-mtd-signature"
"""Of what is signed by its sender, with a key for ingest."""

_MOST = 8192


def credentials_of(request: Request, cookies: Cookies) -> Credentials:
    """Return what a request shows. A token is meant, where a browser's cookies come by themselves."""
    bearer = bearer_of(request)
    return Credentials(
        peer_of(request),
        bearer,
        "" if bearer else cookies.get(request, SESSION),
        _certificate(request),
        (request.getHeader(TENANT_HEADER) or ("" if bearer else cookies.get(request, TENANT)))[:_MOST],
        is_forwarded(request),
    )


def bearer_of(request: Request) -> str:
    """Return the token in ``Authorization: Bearer``; empty if there is none."""
    scheme, _, bearer = (request.getHeader("authorization") or "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else ""


def is_forwarded(request: Request) -> bool:
    """Return whether a proxy passed a request on: it says so, or the name that was called isn't this machine's own."""
    return any(request.getHeader(name) is not None for name in FORWARDED) or not _is_called_here(request)


def _is_called_here(request: Request) -> bool:
    authority = (request.getHeader("host") or "").lower()
    bracketed, _, _ = authority.removeprefix("[").partition("]")
    return is_loopback_host(bracketed if authority.startswith("[") else authority.partition(":")[0])


def peer_of(request: Request) -> str:
    """Return the address of who sent the request, with its port."""
    address = request.getClientAddress()
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    return "unix:"


def origin_of(request: Request) -> str:
    """Return where a request began, for who counts failures and writes down who did what.

    Of what a proxy on this machine passed on: what it saw, which is the last entry of X-Forwarded-For.
    """
    peer = peer_of(request)
    passed = (request.getHeader("x-forwarded-for") or "").rpartition(",")[2].strip()
    return passed[:100] if passed and is_loopback(peer) else peer


def _certificate(request: Request) -> Certificate | None:
    if not request.isSecure():
        return None
    shown = getattr(request.channel.transport, "getPeerCertificate", lambda: None)()
    if shown is None:
        return None
    from OpenSSL.crypto import FILETYPE_PEM, dump_certificate

    return Certificate(dump_certificate(FILETYPE_PEM, shown))
