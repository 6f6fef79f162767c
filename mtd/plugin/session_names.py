"""Names of interfaces that RouterOS makes for sessions: ``<pppoe-alice>``.

They hold the login of a subscriber, and there are as many as there are
sessions. They stand in many menus besides that of sessions: as the interface of
a neighbour, or as a server of DHCPv6 that the router made for one of them. So
they never name a series, and are private wherever they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_NAME = re.compile(r"<(pppoe|l2tp|pptp|sstp|ovpn|ppp)-(.+)>")


def is_sessions(raw: bytes) -> bool:
    """Whether a name is that of a session's interface, or of something that the router made for one."""
    return raw[:1] == b"<" and raw[-1:] == b">"


def without_login(text: str, pseudonym: Callable[[str], str]) -> str:
    """Return a text with the pseudonym of the login in it: ``<pppoe-~5kq3cnlx2vbtd4ha>``."""
    if "<" not in text:
        return text
    return _NAME.sub(lambda found: f"<{found[1]}-{pseudonym(found[2])}>", text)
