"""Whether the servers have written what they confirm: asked of their monitoring, never believed unasked.

By default a NATS server confirms at once and writes to its disk every two
minutes. What it really does stands in ``/varz``: ``jetstream.config.sync_always``.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.request
from collections.abc import Mapping
from typing import Any

from mtd.eventlog.config import SYNC_HINT, NatsConfig
from mtd.eventlog.jetstream.stream import StreamInfo

_LARGEST = 4 * 1024 * 1024


# Checks that a server's monitoring may miss before what it said once is worth nothing more.
_MISSES = 3


class DurabilityCheck:
    """Asks each server. What one said counts on while it is away: it can't have changed unseen."""

    def __init__(self, settings: NatsConfig) -> None:
        self._settings = settings
        self._synced: dict[str, bool] = {}
        self._server_of: dict[str, str] = {}
        self._missed: dict[str, int] = {}
        self._failures: list[str] = []

    async def ask(self) -> None:
        """Ask all servers. Never fails: who doesn't answer is judged by."""
        context = await asyncio.to_thread(self._context)
        timeout_s = self._settings.request_timeout_s
        answers = await asyncio.gather(
            *(asyncio.to_thread(_varz, url, timeout_s, context) for url in self._settings.monitoring),
            return_exceptions=True,
        )
        self._failures = []
        for url, answer in zip(self._settings.monitoring, answers, strict=True):
            if isinstance(answer, BaseException):
                self._failures.append(f"{url}: {answer}")
                name = self._server_of.get(url, "")
                self._missed[name] = self._missed.get(name, 0) + 1
            else:
                name, synced = answer
                self._server_of[url], self._synced[name], self._missed[name] = name, synced, 0

    def judge(self, info: StreamInfo) -> str:
        """Return why what is acknowledged may not survive a power cut; empty if it does."""
        if info.asynchronous:
            return "the stream has persist_mode async: its messages are confirmed before they are written"
        weak = sorted(name for name in info.servers if self._synced.get(name) is False)
        if weak:
            return f"{' and '.join(weak)} confirm before they have written to the disk; {SYNC_HINT}"
        silent = sorted(name for name, there in info.servers.items() if there and not self._tells(name))
        if silent or not any(name in self._synced for name in info.servers):
            failures = f" ({'; '.join(self._failures)})" if self._failures else ""
            return (
                f"{' and '.join(silent) or 'no server'} doesn't tell how it writes to its disk{failures}: set"
                " `http_port: 8222` in nats-server.conf of each server, and name their addresses in"
                " event_log.jetstream.monitoring"
            )
        return ""

    def _tells(self, name: str) -> bool:
        return name in self._synced and self._missed.get(name, 0) < _MISSES

    def _context(self) -> ssl.SSLContext | None:
        if not any(url.startswith("https:") for url in self._settings.monitoring):
            return None
        ca = self._settings.tls_ca_file
        return ssl.create_default_context(cafile=str(ca) if ca is not None else None)


def _varz(url: str, timeout_s: float, context: ssl.SSLContext | None) -> tuple[str, bool]:
    """Return a server's name, and whether it writes before it confirms. Blocks."""
    # Straight to the server, whatever proxy the environment names for the world outside.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    with opener.open(f"{url}/varz", timeout=timeout_s) as answer:
        return synced_of(json.loads(answer.read(_LARGEST)))


def synced_of(varz: Mapping[str, Any]) -> tuple[str, bool]:
    """Return a server's name, and whether it writes before it confirms, from what it tells of itself."""
    config = (varz.get("jetstream") or {}).get("config") or {}
    return str(varz.get("server_name", "")), config.get("sync_always") is True
