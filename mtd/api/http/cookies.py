"""Cookies of the console: what they are called, and how they are set."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Literal

from twisted.web.http import Request

SESSION = "mtd_session"
TENANT = "mtd_tenant"
"""Which tenant a super-admin looks at."""
LOGIN = "mtd_login"
"""Ties a login at an identity provider to the browser that began it."""

CSRF_HEADER = "x-mtd-csrf"

_MOST = 512
_PROCESS_KEY = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class Cookies:
    """Reads and sets cookies. ``https``: browsers come by https although this door may not see it: through a proxy.

    Where a page comes by https, cookies are for https only, and their names say that nobody but this very
    host can have set them.
    """

    https: bool = False

    def get(self, request: Request, name: str) -> str:
        """Return the value of a cookie; empty if there is none, or one that none of ours is like."""
        value = request.getCookie(self._name(request, name).encode())
        if value is None or len(value) > _MOST:
            return ""
        return str(value, "ascii", "replace")

    def set(
        self,
        request: Request,
        name: str,
        value: str,
        *,
        age_s: float,
        same_site: Literal["strict", "lax"] = "strict",
    ) -> None:
        """Let the browser keep a value, which no script can read."""
        request.addCookie(
            self._name(request, name),
            value,
            path="/",
            max_age=str(max(0, int(age_s))),
            secure=self._is_secure(request),
            httpOnly=True,
            sameSite=same_site,
        )

    def drop(self, request: Request, name: str) -> None:
        """Let the browser forget a value, if it has one."""
        if request.getCookie(self._name(request, name).encode()) is not None:
            self.set(request, name, "", age_s=0)

    def csrf(self, request: Request) -> str:
        """Return what a page has to send along with what it changes: no page of others can read it."""
        return hmac.new(_PROCESS_KEY, self.get(request, SESSION).encode(), hashlib.sha256).hexdigest()

    def has_csrf(self, request: Request) -> bool:
        """Return whether a request brings it."""
        return hmac.compare_digest(
            (request.getHeader(CSRF_HEADER) or "").encode(), self.csrf(request).encode()
        )

    def _is_secure(self, request: Request) -> bool:
        return self.https or bool(request.isSecure())

    def _name(self, request: Request, name: str) -> str:
        return f"__Host-{name}" if self._is_secure(request) else name
