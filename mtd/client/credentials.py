"""Who a client is, and how it knows that it talks to the right daemon."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtd.client.errors import MtdClientError
from mtd.client.targets import Targets

TOKEN_KEY = "authorization"  # noqa: S105 - the name of a metadata key
TENANT_KEY = "mtd-tenant"

Token = str | Callable[[], str]
"""A token, or a function that is asked for it at each call: one that is replaced while the client lives."""


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What a client shows with each call, and the files of its TLS, read once.

    ``tls`` without a CA: the daemon's certificate has to be signed by a public one.
    """

    token: Token = ""
    tenant: str = ""
    tls: bool = False
    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None

    def __repr__(self) -> str:
        return f"Credentials(tenant={self.tenant!r}, tls={self.tls})"  # never the token or the key

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what goes with a call. Raises MtdClientError for what can't be sent."""
        token = self.token() if callable(self.token) else self.token
        pairs = []
        if token:
            pairs.append((TOKEN_KEY, f"Bearer {_sendable(token.strip(), 'the token')}"))
        if self.tenant:
            pairs.append((TENANT_KEY, _sendable(self.tenant, "the tenant")))
        return tuple(pairs)

    def channel_credentials(self) -> Any:
        """Return the credentials of the channel; None for one without TLS."""
        if not self.tls:
            return None
        import grpc

        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)


NOBODY = Credentials()


def credentials_for(
    target: str,
    *,
    token: Token = "",
    tenant: str = "",
    tls: bool = False,
    ca_file: str | Path | None = None,
    certificate_file: str | Path | None = None,
    key_file: str | Path | None = None,
) -> Credentials:
    """Return the credentials for a target, or several with commas between them. Raises MtdClientError for those that don't fit together.

    A token, without which nobody could act as the caller, leaves this machine only within TLS.
    """
    if bool(certificate_file) != bool(key_file):
        raise _refused("a client certificate needs its key", "give both, certificate and key")
    secure = tls or bool(ca_file) or bool(certificate_file)
    far = [one for one in Targets(target).all if not is_loopback(one)]
    if token and not secure and far:
        raise _refused(
            f"a token isn't sent to {far[0]} in the clear",
            "use TLS: give the daemon's CA certificate (ca_file, or --ca-file)",
        )
    return Credentials(
        token=token,
        tenant=tenant,
        tls=secure,
        ca=_read(ca_file, "the CA certificate"),
        certificate=_read(certificate_file, "the client certificate"),
        key=_read(key_file, "the key of the client certificate"),
    )


def is_loopback(target: str) -> bool:
    """Return whether a target, as gRPC names it, can only be on this machine."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    for scheme in ("ipv4:", "ipv6:", "dns:///", "dns:"):
        target = target.removeprefix(scheme)
    host = target.partition("]")[0].removeprefix("[") if target.startswith("[") else target
    if host.count(":") == 1:
        host = host.partition(":")[0]
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(path: str | Path | None, what: str) -> bytes | None:
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _refused(f"{what} can't be read from {path}: {error.strerror}", "") from None


def _sendable(text: str, what: str) -> str:
    # Metadata are printable ASCII: anything else would fail deep in gRPC, with the text in its words.
    if text and text.isascii() and text.isprintable():
        return text
    hint = "it has to be printable ASCII"
    if what == "the tenant":
        hint += ": name a tenant with other letters by its id"
    raise _refused(f"{what} can't be sent", hint)


def _refused(message: str, hint: str) -> MtdClientError:
    return MtdClientError(message, code="INVALID_ARGUMENT", reason="CREDENTIALS", hint=hint)
