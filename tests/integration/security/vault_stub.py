"""A server that answers as HashiCorp Vault's documented HTTP API does: KV version 2, tokens, AppRole."""

from __future__ import annotations

import json
import secrets
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self


@dataclass
class Token:
    """A token: until when it is good by the stub's clock, None for ever."""

    ends_at: float | None = None
    ttl_s: float = 0
    renewable: bool = False


@dataclass
class VaultStub:
    """Serves on loopback. Tests change its fields while it runs."""

    mount: str = "secret"
    namespace: str = ""
    role_id: str = "role-1"
    secret_id: str = "secret-id-1"
    sealed: bool = False
    lease_s: int = 3600
    renewable: bool = True
    # Path: its fields; None where the newest version was deleted.
    stored: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    tokens: dict[str, Token] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hang: threading.Event | None = None
    answer: tuple[int, bytes] | None = None
    certificate: tuple[Path, Path] | None = None

    def __enter__(self) -> Self:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._respond("GET")

            def do_POST(self) -> None:
                self._respond("POST")

            def _respond(self, method: str) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = stub.respond(method, self.path, dict(self.headers.items()), body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Keep tests quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.hang is not None:
            self.hang.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{'http' if self.certificate is None else 'https'}://127.0.0.1:{self.port}"

    def new_token(self, ttl_s: float = 0, *, renewable: bool = False) -> str:
        token = "hvs." + secrets.token_urlsafe(12)
        self.tokens[token] = Token(time.monotonic() + ttl_s if ttl_s else None, ttl_s, renewable)
        return token

    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        self.asked.append(f"{method} {path}")
        if self.hang is not None:
            self.hang.wait()
        if self.answer is not None:
            return self.answer
        refused = self._refused(headers)
        if refused is not None:
            return refused
        if (method, path) == ("POST", "/v1/auth/approle/login"):
            return self._log_in(json.loads(body))
        token = self.tokens.get(headers.get("X-Vault-Token", ""))
        if token is None or (token.ends_at is not None and time.monotonic() >= token.ends_at):
            return _errors(403, "permission denied")
        if (method, path) == ("GET", "/v1/auth/token/lookup-self"):
            return _ok(data={"ttl": int(token.ttl_s), "renewable": token.renewable, "policies": ["mtd"]})
        if (method, path) == ("POST", "/v1/auth/token/renew-self"):
            return self._renew(headers["X-Vault-Token"], token)
        return self._read(method, path)

    def _refused(self, headers: dict[str, str]) -> tuple[int, bytes] | None:
        if self.sealed:
            return _errors(503, "Vault is sealed")
        if headers.get("X-Vault-Request") != "true":
            return _errors(412, "required request header missing")
        if headers.get("X-Vault-Namespace", "") != self.namespace:
            return _errors(404, "no handler for route. route entry not found.")
        return None

    def _log_in(self, given: dict[str, str]) -> tuple[int, bytes]:
        if (given.get("role_id"), given.get("secret_id")) != (self.role_id, self.secret_id):
            return _errors(400, "invalid role or secret ID")
        token = self.new_token(self.lease_s, renewable=self.renewable)
        return _ok(auth={"client_token": token, "lease_duration": self.lease_s, "renewable": self.renewable})

    def _renew(self, name: str, token: Token) -> tuple[int, bytes]:
        if not token.renewable:
            return _errors(400, "lease is not renewable")
        token.ends_at = time.monotonic() + token.ttl_s
        return _ok(auth={"client_token": name, "lease_duration": int(token.ttl_s), "renewable": True})

    def _read(self, method: str, path: str) -> tuple[int, bytes]:
        prefix = f"/v1/{self.mount}/data/"
        name = path.removeprefix(prefix)
        if method != "GET" or name == path or name not in self.stored:
            return _errors(404)
        if name in self.forbidden:
            return _errors(403, "1 error occurred:\n\t* permission denied\n\n")
        fields = self.stored[name]
        metadata = {
            "version": 1,
            "destroyed": False,
            "deletion_time": "" if fields else "2026-01-01T00:00:00Z",
        }
        body = _ok(data={"data": fields, "metadata": metadata}, lease_duration=0)[1]
        return (200 if fields else 404), body


def _ok(**parts: Any) -> tuple[int, bytes]:
    whole = {
        "request_id": "x",
        "lease_id": "",
        "renewable": False,
        "lease_duration": 0,
        "data": None,
        "auth": None,
    }
    return 200, json.dumps({**whole, **parts}).encode()


def _errors(status: int, *errors: str) -> tuple[int, bytes]:
    return status, json.dumps({"errors": list(errors)}).encode()
