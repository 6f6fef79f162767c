"""What exporters told once and count on from then on, on disk: a restart of mtd must not wait for templates.

A JSON file of each worker. All workers' files are read at a start: with another number of workers,
exporters are other workers'. A worker's file also has what it was told at its start of exporters that others read:
of each domain that counts which was heard last.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

from mtd.codec.flows import Field, Learned, NotFlows, Template
from mtd.codec.flows.messages import IPFIX, V9

logger = logging.getLogger(__name__)

_VERSION = 2
_OF_ALL_FORMS = 1  # didn't tell versions of messages apart, nor when and from which port they came
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
    """Return what all workers wrote, by exporter: of each domain what was heard last.

    A file that can't be read is told and left out.
    """
    found: dict[str, dict[tuple[int, int], Learned]] = {}
    for path in sorted(folder.glob(_PATTERN), key=_written_us):
        try:
            for address, learned in _read(path):
                domains = found.setdefault(address, {})
                for one in learned:
                    known = domains.get((one.version, one.domain))
                    if known is None or one.heard_us >= known.heard_us:
                        domains[one.version, one.domain] = one
        except (OSError, ValueError, KeyError, TypeError, AttributeError, NotFlows) as error:
            logger.warning(
                "templates of flows in %s can't be read; exporters will send them again: %s", path, error
            )
    return {address: [one for _, one in sorted(domains.items())] for address, domains in found.items()}


def _read(path: Path) -> list[tuple[str, list[Learned]]]:
    """Return what is in a file, all of it or nothing."""
    read = json.loads(path.read_text(encoding="utf-8"))
    version, exporters = read["version"], read["exporters"].items()
    if version == _OF_ALL_FORMS:
        heard_us = _written_us(path)
        return [
            (address, [one for plain in told for one in _of_all_forms(plain, heard_us)])
            for address, told in exporters
        ]
    if version != _VERSION:
        raise ValueError(f"version {version}")
    return [(address, list(map(_learned, told))) for address, told in exporters]


def _of_all_forms(plain: Mapping[str, Any], heard_us: int) -> Iterator[Learned]:
    """Yield what may be NetFlow v9's or IPFIX's; of IPFIX it isn't known since when the exporter runs."""
    learned = _learned({**plain, "version": V9, "ports": [], "heard_us": heard_us})
    yield learned
    if not learned.booted_ms:
        yield replace(learned, version=IPFIX)


def _written_us(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns // 1000
    except OSError:
        return 0


def _plain(learned: Learned) -> dict[str, Any]:
    return {
        "version": learned.version,
        "domain": learned.domain,
        "heard_us": learned.heard_us,
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
        "ports": list(learned.ports),
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
        version=_number(plain["version"], 1 << 16),
        ports=tuple(_number(port, 1 << 16) for port in plain["ports"]),
        heard_us=_number(plain["heard_us"], 1 << 62),
    )


def _number(value: object, most: int = 1 << 32) -> int:
    if not isinstance(value, int) or not 0 <= value < most:
        raise ValueError(f"{value!r} is no number")
    return value
