"""JSON-RPC of Odoo's web client: a session, and calls of models in it."""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT_S = 60.0


class OdooError(RuntimeError):
    """Odoo answered with an error; ``name`` is the exception's, as odoo.exceptions.AccessError."""

    def __init__(self, name: str, message: str, debug: str = "") -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.debug = debug
        """Odoo's own traceback."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a request got."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class OdooSession:
    """One user's session; anonymous until ``login``. Not for several threads at once."""

    def __init__(self, url: str, database: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self.database = database
        self.cookies: dict[str, str] = {}
        self.uid: int | None = None
        self._timeout_s = timeout_s
        self._ids = itertools.count(1)

    def login(self, login: str, password: str) -> int:
        """Log in; return the user's id."""
        found = self.json(
            "/web/session/authenticate", {"db": self.database, "login": login, "password": password}
        )
        self.uid = int(found["uid"])
        return self.uid

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a model's method as the web client does."""
        params = {"model": model, "method": method, "args": list(args), "kwargs": kwargs}
        return self.json(f"/web/dataset/call_kw/{model}/{method}", params)

    def json(self, path: str, params: Mapping[str, Any]) -> Any:
        """Call a JSON route; return its result."""
        asked = {"jsonrpc": "2.0", "method": "call", "id": next(self._ids), "params": params}
        answer = self.request("POST", path, json.dumps(asked).encode(), {"Content-Type": "application/json"})
        if answer.status != 200:
            raise OdooError(f"HTTP {answer.status}", answer.body[:500].decode(errors="replace"))
        said = json.loads(answer.body)
        if "error" in said:
            data = said["error"].get("data") or {}
            raise OdooError(
                data.get("name", ""), data.get("message") or said["error"]["message"], data.get("debug", "")
            )
        return said.get("result")

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """Ask for anything, with the cookies of the session."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=self._timeout_s)
        try:
            connection.request(method, path, body, {**self.cookie_header(), **(headers or {})})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, content_of = value.partition(";")[0].partition("=")
                self.cookies[key.strip()] = content_of.strip()
        return HttpAnswer(answer.status, dict(answer.getheaders()), content)

    def cookie_header(self) -> dict[str, str]:
        """Return the header that says whose session it is."""
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
