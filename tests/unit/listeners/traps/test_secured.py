"""Version 3 at the listener: users of the settings and of the poll, replays, restarts, and reports."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from mtd.codec.snmp import Secured, read_message
from mtd.core.errors import Misconfigured
from mtd.model.device import Device, SnmpAuth, SnmpPriv, SnmpSettings, SnmpVersion
from mtd.testing.metrics import metric
from tests.unit.codec.snmp import samples
from tests.unit.listeners.kit import device
from tests.unit.listeners.traps.kit import Bench, dropped, with_bench


def user(folder: Path, auth_password: str = "authpass1", **changes: Any) -> dict[str, Any]:
    (folder / "auth").write_text(auth_password + "\n")
    (folder / "priv").write_text("privpass1\n")
    return {
        "name": "noc",
        "auth": "sha1",
        "auth_password_file": str(folder / "auth"),
        "priv": "aes",
        "priv_password_file": str(folder / "priv"),
        **changes,
    }


def polled_by(**changes: Any) -> Device:
    snmp = SnmpSettings(
        SnmpVersion.V3,
        username="noc",
        auth=SnmpAuth.SHA1,
        auth_password="authpass1",
        priv=SnmpPriv.AES,
        priv_password="privpass1",
    )
    return dataclasses.replace(device("core-1", "127.0.0.1"), snmp=dataclasses.replace(snmp, **changes))


def test_a_user_of_the_settings_is_believed_once(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.send(samples.V3_SHA_AES)
        await bench.until_told(1)
        before = metric("mtd_traps_repeated_total")
        bench.send(samples.V3_SHA_AES)
        await bench.until(lambda: metric("mtd_traps_repeated_total") > before)

    assert with_bench(work, tmp_path, users=[user(tmp_path)]).events == ["interface.oper.changed"]


def test_a_recorded_trap_isn_t_believed_after_a_restart(tmp_path: Path) -> None:
    async def first(bench: Bench) -> None:
        bench.send(samples.V3_SHA_AES)
        await bench.until_told(1)

    async def second(bench: Bench) -> None:
        before = dropped("not_in_time_window")
        bench.send(samples.V3_SHA_AES)
        await bench.until(lambda: dropped("not_in_time_window") > before)

    with_bench(first, tmp_path, users=[user(tmp_path)])
    remembered = tmp_path / "trap-engine.json"
    remembered.write_text(remembered.read_text().replace("[7, 3600]", "[7, 3751]"))
    assert with_bench(second, tmp_path, users=[user(tmp_path)]).told.changes == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"auth_password": "authpass2"}, "wrong_digest"),
        ({"auth": "sha256"}, "wrong_digest"),
        ({"priv": "des"}, "undecryptable"),
        ({"name": "ops"}, "unknown_user"),
        ({"priv": "none", "priv_password_file": None}, "wrong_level"),
    ],
)
def test_a_user_that_isn_t_proven_is_counted_by_reason(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    async def work(bench: Bench) -> None:
        before = dropped(reason)
        bench.send(samples.V3_SHA_AES)
        await bench.until(lambda: dropped(reason) > before)

    assert with_bench(work, tmp_path, users=[user(tmp_path, **changes)]).told.changes == []


def test_the_user_by_which_a_device_is_polled_goes_before_those_of_the_settings(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.know(polled_by())
        bench.send(samples.V3_SHA_AES)
        await bench.until_told(1)

    with_bench(work, tmp_path, users=[user(tmp_path, auth_password="of-another-tenant")])


@pytest.mark.parametrize("changes", [{"auth_password": ""}, {"priv_password": ""}])
def test_a_user_whose_password_is_missing_is_unknown(changes: dict[str, str], tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.know(polled_by(**changes))
        before = dropped("unknown_user")
        bench.send(samples.V3_OPEN, samples.V3_SHA_AES)
        await bench.until(lambda: dropped("unknown_user") - before == 2)

    assert with_bench(work, tmp_path).told.changes == []


def test_who_asks_is_told_who_we_are_the_same_after_a_restart(tmp_path: Path) -> None:
    told: list[Secured] = []

    async def work(bench: Bench) -> None:
        before = metric("mtd_traps_asked_total")
        bench.send(samples.V3_DISCOVERY)
        answer = read_message(await bench.answer())
        assert isinstance(answer, Secured)
        told.append(answer)
        assert metric("mtd_traps_asked_total") == before + 1

    for _ in range(2):
        with_bench(work, tmp_path)
    assert told[0].engine_id == told[1].engine_id
    assert (told[0].boots, told[1].boots) == (1, 2)


@pytest.mark.parametrize("content", ["{", '{"version": 2}', '{"version": 1, "engine_id": "xy"}', "[]", "\0"])
def test_a_memory_that_can_t_be_read_is_begun_anew(content: str, tmp_path: Path) -> None:
    (tmp_path / "trap-engine.json").write_text(content)

    async def work(bench: Bench) -> None:
        bench.send(samples.V3_DISCOVERY)
        answer = read_message(await bench.answer())
        assert isinstance(answer, Secured)
        assert (answer.boots, len(answer.engine_id)) == (1, 17)

    with_bench(work, tmp_path)


def test_an_engine_that_ran_out_of_starts_gets_another_name(tmp_path: Path) -> None:
    name = "80007ed90500112233"
    (tmp_path / "trap-engine.json").write_text(
        f'{{"version": 1, "engine_id": "{name}", "boots": {2**31 - 2}, "known": {{}}}}'
    )

    async def work(bench: Bench) -> None:
        bench.send(samples.V3_DISCOVERY)
        answer = read_message(await bench.answer())
        assert isinstance(answer, Secured)
        assert (answer.engine_id.hex() != name, answer.boots) == (True, 1)

    with_bench(work, tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "can't be read"), (b"short\n", "less than 8 characters"), (b"\xff" * 9, "isn't UTF-8")],
)
def test_a_password_that_can_t_be_used_keeps_it_from_starting(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    settings = user(tmp_path)
    (tmp_path / "auth").unlink()
    if content is not None:
        (tmp_path / "auth").write_bytes(content)

    async def work(_bench: Bench) -> None:
        raise AssertionError("it started")

    with pytest.raises(Misconfigured, match=words):
        with_bench(work, tmp_path, users=[settings])


def test_a_folder_that_isn_t_there_keeps_it_from_starting(tmp_path: Path) -> None:
    async def work(_bench: Bench) -> None:
        raise AssertionError("it started")

    with pytest.raises(Misconfigured, match=r"trap-engine\.json"):
        with_bench(work, tmp_path / "nowhere")
