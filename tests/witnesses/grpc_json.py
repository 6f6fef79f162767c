"""``buf curl``, and the answers of the gRPC door in the JSON of protocol buffers."""

from __future__ import annotations

import base64
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

BUF = Path(sys.executable).with_name("buf")
INVENTORY = "mtd.pb.inventory.v1.InventoryService"
TELEMETRY = "mtd.pb.telemetry.v1.TelemetryService"

Json = dict[str, Any]
Sample = tuple[str, str, int, float | int]
"""(device, key, collected at, value)"""


class Buf:
    """``buf curl`` against the daemon."""

    def __init__(self, server: str, *options: str) -> None:
        self._server, self._options = server, options

    def command(self, service: str, method: str, request: Json) -> list[str]:
        url = f"http://{self._server}/{service}/{method}"
        data = ["--data", json.dumps(request), "--timeout", "30s"]
        return [
            str(BUF),
            "curl",
            "--protocol",
            "grpc",
            "--http2-prior-knowledge",
            *self._options,
            *data,
            url,
        ]

    def call(self, service: str, method: str, request: Json) -> list[Json]:
        """Return all messages of the answer."""
        done = subprocess.run(
            self.command(service, method, request), capture_output=True, text=True, timeout=40, check=False
        )
        assert done.returncode == 0, done.stderr
        return list(documents([done.stdout]))

    def stream(self, method: str, request: Json, enough: Callable[[Json], bool]) -> list[Json]:
        """Return messages of an endless answer until there are enough."""
        command = self.command(TELEMETRY, method, request)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            messages = []
            try:
                chunks = iter(lambda: os.read(process.stdout.fileno(), 65_536).decode(), "")  # type: ignore[union-attr]
                for message in documents(chunks):
                    messages.append(message)
                    if enough(message):
                        return messages
            finally:
                process.terminate()
        raise AssertionError(f"the stream ended after {len(messages)} messages")


def documents(chunks: Sequence[str] | Iterator[str]) -> Iterator[Json]:
    """Yield the JSON documents of a text that comes in pieces."""
    decoder, text = json.JSONDecoder(), ""
    for chunk in chunks:
        text = (text + chunk).lstrip()
        while text:
            try:
                document, end = decoder.raw_decode(text)
            except json.JSONDecodeError:
                break  # the rest of it is still to come
            yield document
            text = text[end:].lstrip()


def parts(message: Json) -> tuple[list[Json], list[Json]]:
    """Return layouts and updates of a message of StreamLatest."""
    batch = message.get("batch", {})
    layouts = [message["layout"]] if "layout" in message else batch.get("layouts", [])
    updates = [message["update"]] if "update" in message else batch.get("updates", [])
    return layouts, updates


def samples_of(messages: Sequence[Json]) -> Iterator[Sample]:
    """Read a stream as its .proto describes it."""
    books: dict[int, Json] = {}
    for message in messages:
        layouts, updates = parts(message)
        books.update({layout["layout"]: layout for layout in layouts})
        for update in updates:
            layout = books[update["layout"]]
            lanes = {
                "LANE_COUNTER": counters_of(update),
                "LANE_GAUGE": iter(update.get("gauges", [])),
                "LANE_RATE": iter(update.get("rates", [])),
            }
            for info in layout["series"]:
                value = next(lanes[info["series"]["lane"]])
                if value is not None and not math.isnan(float(value)):
                    yield layout["deviceName"], info["key"], int(update["collectedAtUs"]), value


def counters_of(update: Json) -> Iterator[int | None]:
    present = int.from_bytes(base64.b64decode(update.get("countersPresent", "")), "little")
    for number, value in enumerate(update.get("counters", [])):
        yield int(value) if not present or present >> number & 1 else None
