"""What exporters told once and count on from then on, on disk: a restart of mtd must not wait for templates.

A JSON file of each worker. All workers' files are read at a start: with another number of workers,
exporters are other workers'.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from mtd.codec.flows import Field, Learned, NotFlows, Template

logger = logging.getLogger(__name__)

_VERSION = 1
_PATTERN = "flow-templates-*.json"
_TOLD_AGAIN_S = 600.0


class Memory:
    """The file of a worker. What can't be written is kept in memory, counted, said once in a while, and tried again.

    ``trouble``: why the last time failed; empty if it didn't.
    """

    def __init__(self, folder: Path, worker: int) -> None:
        self._path = path_of(folder, worker)
        self._lock = Lock()
        self._written: Mapping[str, Sequence[Learned]] = {}
        self._told_at = -_TOLD_AGAIN_S
        self.failures = 0
        self.trouble = ""

    def keep(self, learned: Mapping[str, Sequence[Learned]]) -> None:
        """Write what was learned, if that changed. Waits for the disk: for a thread."""
        with self._lock:
            if learned == self._written:
                return
            try:
                write_learned(self._path, learned)
            except OSError as error:
                self._fail(error)
                return
            self._written = learned
            if self.trouble:
                self.trouble = ""
                logger.warning("templates of flows are kept in %s again", self._path)

    def _fail(self, error: OSError) -> None:
        self.failures += 1
        self.trouble = f"{self._path}: {error.strerror or error}"
        now = time.monotonic()
        if now - self._told_at >= _TOLD_AGAIN_S:
            self._told_at = now
            logger.warning(
                "templates of flows can't be kept for the next start, which would wait for exporters to send them again: %s; "
                "make room, or let mtd write there",
                self.trouble,
            )


def path_of(folder: Path, worker: int) -> Path:
    """Return the file of a worker."""
    return folder / _PATTERN.replace("*", str(worker))


def write_learned(path: Path, exporters: Mapping[str, Sequence[Learned]]) -> None:
    """Replace the file; whoever reads it meanwhile reads the old one. Raises OSError."""
    written = {
        "version": _VERSION,
        "exporters": {address: [_plain(one) for one in learned] for address, learned in exporters.items()},
    }
    fresh = path.with_suffix(".new")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(written, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()  # half of it would take room that others need
        raise


def read_learned(folder: Path) -> dict[str, list[Learned]]:
    """Return what all workers wrote, by exporter; the newest file counts. A file that can't be read is told and left out."""
    found: dict[str, list[Learned]] = {}
    for path in sorted(folder.glob(_PATTERN), key=_age):
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            if read["version"] != _VERSION:
                raise ValueError(f"version {read['version']}")
            found |= {address: list(map(_learned, told)) for address, told in read["exporters"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, NotFlows) as error:
            logger.warning(
                "templates of flows in %s can't be read; exporters will send them again: %s", path, error
            )
    return found


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _plain(learned: Learned) -> dict[str, Any]:
    return {
        "domain": learned.domain,
        "sampling": learned.sampling,
        "booted_ms": learned.booted_ms,
        "samplers": [[sampler, interval] for sampler, interval in learned.samplers.items()],
        "templates": [
            [
                one.number,
                one.scopes,
                [[field.element, field.length, field.enterprise] for field in one.fields],
            ]
            for one in learned.templates
        ],
    }


def _learned(plain: Mapping[str, Any]) -> Learned:
    return Learned(
        domain=_number(plain["domain"]),
        sampling=_number(plain["sampling"]),
        booted_ms=_number(plain["booted_ms"], 1 << 62),
        samplers={_number(sampler): _number(interval) for sampler, interval in plain["samplers"]},
        templates=tuple(
            Template(_number(number), tuple(Field(*map(_number, field)) for field in fields), _number(scopes))
            for number, scopes, fields in plain["templates"]
        ),
    )


def _number(value: object, most: int = 1 << 32) -> int:
    if not isinstance(value, int) or not 0 <= value < most:
        raise ValueError(f"{value!r} is no number")
    return value
