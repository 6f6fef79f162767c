"""Who answers, if it isn't the RouterOS API: by the first bytes."""

from __future__ import annotations

_WEB = "a web server answers on this port; the API is on 8728 (8729 with TLS) unless changed in /ip/service"
_HINTS: tuple[tuple[bytes, str], ...] = (
    *((beginning, _WEB) for beginning in (b"HTTP/", b"<!", b"<?", b"<h", b"<H")),
    (b"SSH-", "an SSH server answers on this port; the API is on 8728 (8729 with TLS)"),
    (
        b"\x15\x03",
        "this port speaks TLS: choose a TLS mode for the device, or the port of the plain API (8728)",
    ),
    (
        b"\x16\x03",
        "this port speaks TLS: choose a TLS mode for the device, or the port of the plain API (8728)",
    ),
    (b"220", "a mail or FTP server answers on this port; the API is on 8728 (8729 with TLS)"),
    (b"\xff\xfb", "a telnet server answers on this port; the API is on 8728 (8729 with TLS)"),
    (b"\xff\xfd", "a telnet server answers on this port; the API is on 8728 (8729 with TLS)"),
)


def explain(reason: str, peek: bytes) -> str:
    """Return what to tell the user about bytes that aren't the API's."""
    for beginning, hint in _HINTS:
        if peek.startswith(beginning):
            return hint
    if not peek:
        return reason
    return (
        f"{reason} (received {peek[:16].hex(' ')}); check that the host and port are those of the API service"
    )
