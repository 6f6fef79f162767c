"""What an edge keeps on its disk."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mtd.link.kept import Kept, KeptFile, TenantKey
from mtd.model.device import Login, SnmpSettings, SnmpVersion
from mtd.security.keyfile import MasterKey
from mtd.security.sealed_files import seal
from mtd.testing.metrics import metric
from tests.unit.link.devices_made import TENANT, exclusive

OLD, NEW = MasterKey.of(b"\1" * 32), MasterKey.of(b"\2" * 32)
KEPT = Kept(
    "collector-1",
    7,
    {TENANT: TenantKey(TENANT, b"pseudonym-key-of-the-tenant")},
    {
        one.device.device_id: one
        for one in (
            exclusive(1, 5),
            exclusive(
                2,
                6,
                snmp=SnmpSettings(SnmpVersion.V2C, community="hunter2-community"),
                config_login=Login("audit", "hunter2-audit"),
            ),
        )
    },
)


def file_in(folder: Path, *keys: MasterKey) -> KeptFile:
    return KeptFile(folder / "assignment.sealed", lambda: keys or (NEW,))


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    file_in(tmp_path).write(KEPT)
    assert file_in(tmp_path).read() == KEPT
    file_in(tmp_path).remove()
    assert file_in(tmp_path).read() == Kept()


def test_nothing_of_it_can_be_read_on_the_disk(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    file.write(KEPT)
    content = file.path.read_bytes()
    for secret in (b"hunter2", b"pseudonym-key", b"192.0.2.1", b"router-1", b"audit"):
        assert secret not in content
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_it_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_in(tmp_path)
    file.write(KEPT)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        file.write(Kept("collector-1", 8))
    monkeypatch.undo()
    assert file.read() == KEPT
    assert [path.name for path in tmp_path.iterdir()] == [file.path.name], "nothing is left beside it"


def test_a_new_key_on_top_opens_what_the_old_one_sealed(tmp_path: Path) -> None:
    file_in(tmp_path, OLD).write(KEPT)
    assert file_in(tmp_path, NEW, OLD).read() == KEPT


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "another key", "another file"])
def test_a_damaged_file_is_moved_aside_loudly(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = file_in(tmp_path)
    file.write(KEPT)
    content = bytearray(file.path.read_bytes())
    if damage == "flipped":
        content[-20] ^= 1
    elif damage == "cut":
        del content[-40:]
    elif damage == "empty":
        content.clear()
    elif damage == "another key":
        content = bytearray(seal(OLD, b"mtd-assignment-1\n"))
    else:
        content = bytearray(seal(NEW, b"-----BEGIN EC PRIVATE KEY-----"))
    file.path.write_bytes(content)
    before = metric("mtd_link_kept_failures_total", what="read")
    assert file.read() == Kept()
    assert metric("mtd_link_kept_failures_total", what="read") == before + 1
    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith("assignment.sealed.damaged-")
    assert aside.read_bytes() == bytes(content)
    assert "polls nothing until a hub answers" in caplog.text
    assert "hunter2" not in caplog.text


def test_what_a_crash_left_beside_it_is_swept_away(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    file.write(KEPT)
    (tmp_path / "assignment.sealed.abc.new").write_bytes(b"half")
    file.sweep()
    assert file.read() == KEPT
    assert [path.name for path in tmp_path.iterdir()] == [file.path.name]


def test_keys_arent_shown() -> None:
    assert "pseudonym-key" not in repr(KEPT)
    assert "hunter2" not in repr(KEPT)
