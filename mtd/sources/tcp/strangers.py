"""Who answers, if it isn't the service that was asked for: by the first bytes."""

from __future__ import annotations

from mtd.sources.tcp.services import API, Service

_TLS = "this port speaks TLS: choose a TLS mode for the device, or the port of {service.plain}"
_HINTS: tuple[tuple[bytes, str], ...] = (
    *(
        (beginning, "a web server answers on this port; {service.here}")
        for beginning in (b"HTTP/", b"<!", b"<?", b"<h", b"<H")
    ),
    (b"SSH-", "an SSH server answers on this port; {service.here}"),
    (b"\x15\x03", _TLS),
    (b"\x16\x03", _TLS),
    (b"220", "a mail or FTP server answers on this port; {service.here}"),
    (b"\xff\xfb", "a telnet server answers on this port; {service.here}"),
    (b"\xff\xfd", "a telnet server answers on this port; {service.here}"),
)


def explain(reason: str, peek: bytes, service: Service = API) -> str:
    """Return what to tell the user about bytes that aren't the service's."""
    for beginning, hint in _HINTS:
        if peek.startswith(beginning):
            return hint.format(service=service)
    if not peek:
        return reason
    return (
        f"{reason} (received {peek[:16].hex(' ')}); check that the host and port are those of {service.name}"
    )
