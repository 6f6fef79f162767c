"""What our SNMP engine is called, how often it started, and which clocks of others it knows, on disk.

Who restarts mtd must not be able to have old messages believed, and informs are sent to an engine by its name.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mtd.codec.snmp.engine import MOST_BOOTS, Engine
from mtd.core.errors import Misconfigured

logger = logging.getLogger(__name__)

_VERSION = 1
_NAME = "trap-engine.json"
# RFC 3411: the first bit, an enterprise, the format 5 (octets of its own choice). The enterprise is that for examples:
# names have to differ among the engines of a network only, and chance sees to that.
_PREFIX = (0x8000_0000 | 32473).to_bytes(4, "big") + b"\x05"
_CHANCE_BYTES = 12


class _Memory(NamedTuple):
    """Name and starts of our engine, and boots and time of others."""

    engine_id: bytes
    boots: int
    known: Mapping[bytes, tuple[int, int]]


def begun(folder: Path, now: float) -> Engine:
    """Return our engine, one start later, which is written down. Raises Misconfigured if it can't be. Blocks.

    ``now``: monotonic seconds.
    """
    found = _read(folder / _NAME)
    if found is None or found.boots >= MOST_BOOTS - 1:
        known = {} if found is None else found.known
        found = _Memory(_PREFIX + os.urandom(_CHANCE_BYTES), 0, known)
    started = found._replace(boots=found.boots + 1)
    try:
        _write(folder / _NAME, started)
    except OSError as error:
        raise Misconfigured(
            f"the starts of the SNMP engine can't be counted in {folder / _NAME}: {error}"
        ) from None
    return Engine(started.engine_id, started.boots, now, started.known)


class Keeper:
    """Writes down which clocks of others an engine knows."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self._path = folder / _NAME
        self._engine = engine
        self._kept = engine.remembered()
        self._writing = threading.Lock()  # a thread goes on when who waits for it is cancelled

    async def keep(self) -> None:
        """Write, if there is something new. What can't be written is told, and tried again."""
        engine, known = self._engine, self._engine.remembered()
        if known == self._kept:
            return
        try:
            await asyncio.to_thread(self._write, _Memory(engine.engine_id, engine.boots, known))
        except OSError as error:
            logger.warning("clocks of SNMP engines can't be kept for the next start: %s", error)
        else:
            self._kept = known

    def _write(self, memory: _Memory) -> None:
        with self._writing:
            _write(self._path, memory)


def _write(path: Path, memory: _Memory) -> None:
    """Replace the file; whoever reads it meanwhile reads the old one. Raises OSError."""
    written = {
        "version": _VERSION,
        "engine_id": memory.engine_id.hex(),
        "boots": memory.boots,
        "known": {engine.hex(): list(clock) for engine, clock in memory.known.items()},
    }
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(written, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _read(path: Path) -> _Memory | None:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        if read["version"] != _VERSION:
            raise ValueError(f"version {read['version']}")
        known = {
            bytes.fromhex(engine): (_number(boots), _number(time))
            for engine, (boots, time) in read["known"].items()
        }
        return _Memory(bytes.fromhex(read["engine_id"]), _number(read["boots"]), known)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning(
            "what is known of SNMP engines in %s can't be read; senders of informs will ask anew: %s",
            path,
            error,
        )
        return None


def _number(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= MOST_BOOTS:
        raise ValueError(f"{value!r} is no number of a start or a second")
    return value
