"""snmptrap and snmpinform of Net-SNMP, whose senders nobody here wrote: what they send is believed, and nothing else."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mtd.codec.snmp import Auth, Priv
from mtd.testing import run_async
from mtd.testing.metrics import metric
from mtd.testing.missing import skip_without
from tests.unit.listeners.traps.kit import Bench, dropped, running

_TOOLS = Path(__file__).parents[2] / ".venv/tools/snmp"
_ENGINE = "0x80001f888059dc4861ec6c3154"
_LEVELS = [
    (auth, priv) for auth, priv in itertools.product(Auth, Priv) if auth is not Auth.NONE or priv is Priv.NONE
]
_NAMES = {
    Auth.MD5: "MD5",
    Auth.SHA1: "SHA",
    Auth.SHA224: "SHA-224",
    Auth.SHA256: "SHA-256",
    Auth.SHA384: "SHA-384",
    Auth.SHA512: "SHA-512",
}
LINK_DOWN = ("1.3.6.1.2.1.2.2.1.1.10", "i", "10", "1.3.6.1.2.1.31.1.1.1.1.10", "s", "ether10")


def program(name: str) -> Path:
    unpacked = _TOOLS / "usr/bin" / name
    found = str(unpacked) if unpacked.exists() else shutil.which(name)
    if found is None:
        skip_without(f"{name} is not installed: run scripts/setup_tools snmp")
    return Path(found)


class Sender:
    """Who sends to a listener by the programs of Net-SNMP."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self._bench = bench
        libraries = ":".join(map(str, _TOOLS.glob("usr/lib/*-linux-gnu")))
        self._environment = {
            "PATH": os.environ["PATH"],
            "LD_LIBRARY_PATH": libraries,
            "MIBS": "",
            "SNMP_PERSISTENT_DIR": str(folder / "net-snmp"),
        }

    async def __call__(self, name: str, *arguments: str, told: tuple[str, ...] = ()) -> int:
        """Send with ``arguments``, ``told`` being what stands behind the address; return the exit code."""
        target = f"127.0.0.1:{self._bench.service.udp.port}"
        process = await asyncio.create_subprocess_exec(
            program(name),
            "-r0",
            "-t5",
            *arguments,
            target,
            *told,
            env=self._environment,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await process.wait()


def users(folder: Path) -> list[dict[str, Any]]:
    (folder / "auth").write_text("authpass1")
    (folder / "priv").write_text("privpass1")
    found = []
    for auth, priv in _LEVELS:
        one: dict[str, Any] = {"name": f"{auth}-{priv}", "auth": auth, "priv": priv}
        if auth is not Auth.NONE:
            one["auth_password_file"] = folder / "auth"
        if priv is not Priv.NONE:
            one["priv_password_file"] = folder / "priv"
        found.append(one)
    return found


def options(auth: Auth, priv: Priv, password: str = "authpass1") -> list[str]:
    given = ["-v3", "-u", f"{auth}-{priv}"]
    if auth is Auth.NONE:
        return [*given, "-l", "noAuthNoPriv"]
    given += ["-a", _NAMES[auth], "-A", password]
    if priv is Priv.NONE:
        return [*given, "-l", "authNoPriv"]
    return [*given, "-l", "authPriv", "-x", priv.upper(), "-X", "privpass1"]


def with_sender(work: Callable[[Bench, Sender], Awaitable[None]], folder: Path) -> Bench:
    program("snmptrap")
    program("snmpinform")

    async def main() -> Bench:
        bench = Bench(folder, users=users(folder))
        sender = Sender(bench, folder)
        return await running(lambda running_bench: work(running_bench, sender), bench)

    return run_async(main(), timeout_s=90)


def test_versions_1_and_2c(tmp_path: Path) -> None:
    async def work(bench: Bench, send: Sender) -> None:
        v1 = ("1.3.6.1.4.1.14988.1", "", "2", "0", "4200", *LINK_DOWN)
        assert await send("snmptrap", "-v1", "-cpublic", told=v1) == 0
        v2 = ("4200", "1.3.6.1.6.3.1.1.5.3", *LINK_DOWN)
        assert await send("snmptrap", "-v2c", "-cpublic", told=v2) == 0
        # It ends well only if it was answered.
        assert await send("snmpinform", "-v2c", "-cpublic", told=v2) == 0
        await bench.until_told(3)

    changes = [change for _, change in with_sender(work, tmp_path).told.changes]
    assert len(set(changes)) == 1
    assert (changes[0].event_type, changes[0].entity_id, changes[0].entity_label) == (
        "interface.oper.changed",
        "*A",
        "ether10",
    )


def test_traps_and_informs_of_version_3_with_each_way_to_prove_and_to_encrypt(tmp_path: Path) -> None:
    async def work(bench: Bench, send: Sender) -> None:
        for auth, priv in _LEVELS:
            told = ("4200", "1.3.6.1.4.1.9.9", "1.3.6.1.4.1.9.1", "s", f"{auth} {priv}")
            given = options(auth, priv)
            assert await send("snmptrap", *given, "-e", _ENGINE, "-Z", "7,3600", told=told) == 0
            assert await send("snmpinform", *given, told=told) == 0
        await bench.until_told(2 * len(_LEVELS))

    before = metric("mtd_traps_answered_total")
    bench = with_sender(work, tmp_path)
    told = [change.message.rpartition(" = ")[2] for _, change in bench.told.changes]
    assert told == [f"{auth} {priv}" for auth, priv in _LEVELS for _ in range(2)]
    assert metric("mtd_traps_answered_total") - before == len(_LEVELS)


@pytest.mark.parametrize(
    ("program_name", "given", "reason"),
    [
        ("snmptrap", options(Auth.SHA1, Priv.AES, "authpass2"), "wrong_digest"),
        ("snmpinform", options(Auth.SHA1, Priv.AES, "authpass2"), "wrong_digest"),
        ("snmptrap", ["-v3", "-usha1-aes", "-lnoAuthNoPriv"], "wrong_level"),
        ("snmpinform", ["-v3", "-usha1-aes", "-lnoAuthNoPriv"], "wrong_level"),
        ("snmptrap", ["-v3", "-unobody", "-lnoAuthNoPriv"], "unknown_user"),
        ("snmpinform", ["-v3", "-unobody", "-lnoAuthNoPriv"], "unknown_user"),
        ("snmpinform", [*options(Auth.SHA1, Priv.AES)[:-1], "privpass2"], "undecryptable"),
    ],
)
def test_who_isn_t_believed(program_name: str, given: list[str], reason: str, tmp_path: Path) -> None:
    async def work(bench: Bench, send: Sender) -> None:
        before = dropped(reason)
        named = ["-e", _ENGINE] if program_name == "snmptrap" else []
        code = await send(program_name, *given, *named, told=("4200", "1.3.6.1.6.3.1.1.5.1"))
        assert (code != 0) is (program_name == "snmpinform")
        await bench.until(lambda: dropped(reason) > before)

    assert with_sender(work, tmp_path).told.changes == []


def test_a_trap_of_an_earlier_start_isn_t_believed(tmp_path: Path) -> None:
    async def work(bench: Bench, send: Sender) -> None:
        before = dropped("not_in_time_window")
        for clock in ("7,3600", "8,5", "7,3700", "8,6"):
            given = [*options(Auth.SHA256, Priv.AES), "-e", _ENGINE, "-Z", clock]
            assert await send("snmptrap", *given, told=("4200", "1.3.6.1.6.3.1.1.5.1")) == 0
        await bench.until_told(3)
        assert dropped("not_in_time_window") - before == 1

    assert len(with_sender(work, tmp_path).told.changes) == 3
