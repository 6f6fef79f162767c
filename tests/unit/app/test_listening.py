"""What a process that listens tells of it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from mtd.app.config import Settings
from mtd.app.listening import Listening
from mtd.model.sighting import FoundBy, Sighting
from mtd.testing import run_async
from tests.unit.codec.flows import kit
from tests.unit.listeners.flows.test_service import TEMPLATE, rows
from tests.unit.listeners.kit import Told, device

HERE = {"enabled": True, "host": "127.0.0.1"}


def made(folder: Path, told: Told, seen: list[Sighting], **sections: Any) -> Listening:
    settings = Settings.model_validate({"daemon": {"data_dir": str(folder)}, **sections})
    return Listening(settings, told, seen.append)  # type: ignore[arg-type]


def test_where_nothing_is_switched_on_there_is_nothing_to_tell(tmp_path: Path) -> None:
    listening = made(tmp_path, Told(), [])
    assert not listening.listening
    assert not (*listening.exporters(), *listening.too_fast(), *listening.unknown_senders())
    assert not listening.checks()


def test_senders_are_told_by_listener(tmp_path: Path) -> None:
    seen: list[Sighting] = []
    listening = made(
        tmp_path,
        Told(),
        seen,
        syslog={**HERE, "udp_port": 0, "flush_s": 0.02, "lines_per_s": 0.1},
        flows={**HERE, "ports": [0], "flush_s": 0.05},
    )
    ours, shared = device("core-1", "127.0.0.1"), device("core-2", "127.0.0.2")
    also = device("theirs", "127.0.0.2", "u")

    async def main() -> None:
        listening.apply_devices([ours, shared, also])
        await listening.start()
        try:
            assert listening._syslog is not None
            assert listening._flows is not None
            syslog, (flows,) = listening._syslog.udp.port, listening._flows.ports
            datagram = kit.v9(TEMPLATE, rows(7), sequence=1)
            for source in ("127.0.0.1", "127.0.0.2", "127.0.0.9"):
                send(source, syslog, *[b"<30>system,info hello"] * 3)
                send(source, flows, datagram)
            async with asyncio.timeout(30):
                while len(listening.exporters()) < 2 or len(listening.unknown_senders()) < 3:
                    await asyncio.sleep(0.02)
        finally:
            await listening.stop()

    run_async(main(), timeout_s=60)
    assert listening.listening == ["syslog", "flows"]
    by_address = {one.address: one for one in listening.exporters()}
    assert by_address["127.0.0.1"].devices == [ours]
    assert by_address["127.0.0.1"].tenants == {"t"}
    assert by_address["127.0.0.2"].tenants == {"t", "u"}
    assert by_address["127.0.0.1"].counts["datagrams"] == 1
    assert [(one.device, one.messages, one.found_by) for one in listening.too_fast()] == [
        (ours, 2, FoundBy.SYSLOG)
    ]
    assert {(one.found_by, one.address, one.shared) for one in listening.unknown_senders()} == {
        (FoundBy.SYSLOG, "127.0.0.2", True),
        (FoundBy.SYSLOG, "127.0.0.9", False),
        (FoundBy.FLOWS, "127.0.0.9", False),
    }
    assert {one.address for one in seen} == {"127.0.0.9"}


def test_addresses_are_told_when_they_have_changed_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtd.app.listening._ADDRESSES_S", 0.01)
    reads, told = 0, []

    async def read() -> dict[str, list[str]]:
        nonlocal reads
        reads += 1
        if reads < 5:
            return {"id-a": ["192.0.2.1", "2001:DB8::1"], "id-b": ["192.0.2.1"]}
        return {"id-b": ["192.0.2.1"]}

    async def main() -> None:
        settings = Settings.model_validate(
            {"daemon": {"data_dir": str(tmp_path)}, "traps": {**HERE, "port": 0}}
        )
        listening = Listening(settings, Told(), lambda _: None, read)  # type: ignore[arg-type]
        (listener,) = listening._listeners
        monkeypatch.setattr(listener, "apply_addresses", told.append)
        await listening.start()
        async with asyncio.timeout(30):
            while reads < 8:
                await asyncio.sleep(0.01)
        await listening.stop()

    run_async(main(), timeout_s=60)
    assert told == [
        {"192.0.2.1": ["id-a", "id-b"], "2001:db8::1": ["id-a"]},
        {"192.0.2.1": ["id-b"]},
    ]


def send(source: str, port: int, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((source, 0))
        for datagram in datagrams:
            sender.sendto(datagram, ("127.0.0.1", port))
