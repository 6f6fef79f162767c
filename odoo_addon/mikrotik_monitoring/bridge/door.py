"""What supervisors read: a health file, and a small HTTP door."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

_logger = logging.getLogger(__name__)

Health = Callable[[], Mapping[str, Any]]


def write_health(path: Path, health: Mapping[str, Any]) -> None:
    """Write the health file, whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(health, indent=1) + "\n")
    beside.replace(path)


class Door:
    """Answers /healthz and /metrics on one port of this machine, whatever the bridge is doing."""

    def __init__(self, port: int, health: Health, metrics: Callable[[], bytes]) -> None:
        handler = type(
            "Handler", (_Handler,), {"health": staticmethod(health), "metrics": staticmethod(metrics)}
        )
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        Thread(target=self._server.serve_forever, name="mtd-bridge-http", daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    health: Health
    metrics: Callable[[], bytes]

    def do_GET(self) -> None:
        """Answer."""
        if self.path == "/healthz":
            health = self.health()
            self._answer(200 if health["ok"] else 503, "application/json", json.dumps(health).encode())
        elif self.path == "/metrics":
            self._answer(200, "text/plain; version=0.0.4; charset=utf-8", self.metrics())
        else:
            self._answer(404, "text/plain", b"/healthz or /metrics\n")

    def _answer(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests of supervisors aren't worth a line each."""
        _logger.debug(format, *args)
