from __future__ import annotations

import base64
import os
import stat
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from mtd.security.datakeys import KeyRing, new_data_key, wrap_again
from mtd.security.errors import KeyUnusable, SecretUnreadable
from mtd.security.interfaces import PASSWORD, Bond, IOpening, ISealing, ISecretOpener, ISecretSealer
from mtd.security.keyfile import MasterKey, load_or_make_keys, new_key_line
from mtd.security.masters import MasterKeys
from mtd.security.sealed import data_key_of, master_key_of
from mtd.security.sealer import Sealer
from mtd.security.vault import Vault
from mtd.testing import run_async
from tests.unit.security.kit import ListedKeys, sealed_of_old

TENANT, OTHER_TENANT = "tenant-a", "tenant-b"
BOND = Bond(TENANT, "device", "device-1")
KEY = MasterKey.of(bytes(range(32)))
OLD = MasterKey.of(bytes(32))


class Box:
    """A vault and its data keys, used as the stores do."""

    def __init__(self, *masters: MasterKey, keys: ListedKeys | None = None) -> None:
        self.vault = Vault(masters or [KEY])
        self.keys = keys or ListedKeys()

    def seal(self, bond: Bond, secret: str) -> bytes:
        async def sealed() -> bytes:
            return (await self.vault.sealer.sealing(self.keys, bond.tenant_id)).seal(bond, secret)

        return run_async(sealed())

    def open(self, bond: Bond, sealed: bytes) -> str:
        async def opened() -> str:
            return (await self.vault.opener.opening(self.keys, [sealed])).open(bond, sealed)

        return run_async(opened())


@pytest.fixture
def box() -> Box:
    return Box()


def test_a_bond_is_told_in_words() -> None:
    assert str(BOND) == "the password of device device-1"
    assert str(Bond(TENANT, "ingest key", "ik_1", "19185ccc1234d701")) == "the secret of ingest key ik_1"


def test_each_half_is_what_it_says(box: Box) -> None:
    async def check() -> None:
        assert verifyObject(ISecretSealer, box.vault.sealer)
        assert verifyObject(ISecretOpener, box.vault.opener)
        assert verifyObject(ISealing, await box.vault.sealer.sealing(box.keys, TENANT))
        assert verifyObject(IOpening, await box.vault.opener.opening(box.keys, []))

    run_async(check())


def test_what_seals_has_no_way_to_open(box: Box) -> None:
    async def sealing() -> object:
        return await box.vault.sealer.sealing(box.keys, TENANT)

    for one in (box.vault.sealer, run_async(sealing())):
        names = {name for name in dir(one) if not name.startswith("__")}
        assert not {name for name in names if "open" in name or "decrypt" in name}
    assert not ISecretOpener.providedBy(box.vault.sealer)


@given(st.text())
def test_opens_what_it_sealed(secret: str) -> None:
    box = Box()
    assert box.open(BOND, box.seal(BOND, secret)) == secret


def test_ciphertext_differs_each_time_and_hides_the_secret(box: Box) -> None:
    first, second = (box.seal(BOND, "correct horse") for _ in range(2))
    assert first != second
    assert b"correct horse" not in first
    assert data_key_of(first) == data_key_of(second) == box.keys.keys[0].key_id


@pytest.mark.parametrize(
    "other",
    [
        replace(BOND, owner_id="device-2"),
        replace(BOND, owner="credential"),
        replace(BOND, kind="snmp_community"),
        replace(BOND, tenant_id=OTHER_TENANT),
    ],
)
def test_a_secret_moved_to_another_row_stays_shut(box: Box, other: Bond) -> None:
    sealed = box.seal(BOND, "secret")
    box.seal(other, "so that the other tenant has a key")
    with pytest.raises(SecretUnreadable, match="belongs to another|for another tenant"):
        box.open(other, sealed)


def test_every_flipped_bit_is_noticed(box: Box) -> None:
    sealed = box.seal(BOND, "secret")
    for position in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[position] ^= 1
        with pytest.raises(SecretUnreadable):
            box.open(BOND, bytes(damaged))


@given(st.binary(max_size=80))
def test_garbage_is_unreadable_and_nothing_else(garbage: bytes) -> None:
    with pytest.raises(SecretUnreadable):
        Box().open(BOND, garbage)


@given(st.binary(max_size=80).map(lambda rest: b"\x01" + KEY.key_id + rest))
def test_garbage_of_old_is_unreadable_and_nothing_else(garbage: bytes) -> None:
    with pytest.raises(SecretUnreadable):
        Box().open(BOND, garbage)


def test_what_version_1_sealed_is_opened() -> None:
    """The bytes are those of a released version: they stay readable for good."""
    stored = bytes.fromhex(
        "0101e42bdd000102030405060708090a0b8f52690e5f0b1302ff59253c480c2f387bbab6fc94292e15aeb55a1e98"
    )
    assert stored == sealed_of_old(OLD, TENANT, "device-1", "correct horse", bytes(range(12)))
    assert master_key_of(stored) == OLD.key_id
    assert Box(KEY, OLD).open(BOND, stored) == "correct horse"
    community = sealed_of_old(OLD, TENANT, "device-1/snmp_community", "public house")
    assert Box(KEY, OLD).open(replace(BOND, kind="snmp_community"), community) == "public house"
    for other in (replace(BOND, owner_id="device-2"), replace(BOND, tenant_id=OTHER_TENANT)):
        with pytest.raises(SecretUnreadable):
            Box(KEY, OLD).open(other, stored)


def test_a_lost_master_key_is_named(box: Box) -> None:
    sealed = box.seal(BOND, "secret")
    with pytest.raises(SecretUnreadable, match=KEY.key_id.hex()):
        Box(OLD, keys=box.keys).open(BOND, sealed)
    with pytest.raises(SecretUnreadable, match=OLD.key_id.hex()):
        box.open(BOND, sealed_of_old(OLD, TENANT, "device-1", "secret"))


def test_a_lost_data_key_is_named(box: Box) -> None:
    sealed = box.seal(BOND, "secret")
    (key,) = box.keys.keys
    with pytest.raises(SecretUnreadable, match=f"data key {key.key_id} is gone: restore"):
        Box(keys=ListedKeys()).open(BOND, sealed)


@pytest.mark.parametrize("field", ["tenant_id", "key_id", "master_key_id", "wrapped"])
def test_a_data_key_that_was_tampered_with_is_refused(box: Box, field: str) -> None:
    sealed = box.seal(BOND, "secret")
    (key,) = box.keys.keys
    changed = {
        "tenant_id": OTHER_TENANT,
        "key_id": str(uuid.uuid4()),
        "master_key_id": OLD.key_id,
        "wrapped": key.wrapped[:-1] + bytes((key.wrapped[-1] ^ 1,)),
    }
    tampered = replace(key, **{field: changed[field]})  # type: ignore[arg-type]

    async def unwrap() -> None:
        await KeyRing(MasterKeys([KEY, OLD])).unwrap(tampered)

    with pytest.raises(SecretUnreadable, match="damaged"):
        run_async(unwrap())
    assert box.open(BOND, sealed) == "secret"


def test_a_data_key_wrapped_again_opens_the_same() -> None:
    old = Box(OLD)
    sealed = old.seal(BOND, "secret")
    masters = MasterKeys([KEY, OLD])
    again = [wrap_again(key, masters) for key in old.keys.keys]
    assert [key.master_key_id for key in again] == [KEY.key_id]
    assert Box(KEY, keys=ListedKeys(*again)).open(BOND, sealed) == "secret"


def test_the_unwrapped_keys_that_are_kept_are_bounded() -> None:
    keys = [new_data_key(f"tenant-{number}", KEY) for number in range(20)]
    ring = KeyRing(MasterKeys([KEY]), most=5)

    async def use() -> None:
        for key in keys:
            await ring.unwrap(key)

    run_async(use())
    assert [ring.known(key.key_id) is not None for key in keys] == [False] * 15 + [True] * 5


def test_opening_asks_for_keys_once(box: Box) -> None:
    sealed = [box.seal(BOND, "secret") for _ in range(3)]
    other = Box(keys=box.keys)
    assert [other.open(BOND, one) for one in sealed] == ["secret"] * 3
    assert box.keys.asked == [{box.keys.keys[0].key_id}]


def test_a_master_key_that_is_new_in_the_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    running = Vault(MasterKeys.from_file(path))
    elsewhere = MasterKeys.from_file(path)
    before = elsewhere.newest
    added = elsewhere.add_new_blocking()
    assert [key.key_id for key in elsewhere.all] == [added.key_id, before.key_id]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    keys = ListedKeys(new_data_key(TENANT, added))

    async def seal() -> bytes:
        return (await running.sealer.sealing(keys, TENANT)).seal(BOND, "secret")

    assert running.masters.newest == before
    sealed = run_async(seal())
    assert running.masters.newest == added
    assert Box(added, keys=keys).open(BOND, sealed) == "secret"


def test_the_first_key_of_a_tenant_is_wrapped_by_the_newest_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    running = MasterKeys.from_file(path)
    added = MasterKeys.from_file(path).add_new_blocking()
    keys = ListedKeys()

    async def seal() -> None:
        await Sealer(KeyRing(running)).sealing(keys, TENANT)

    run_async(seal())
    assert [key.master_key_id for key in keys.keys] == [added.key_id]


def test_a_file_that_was_spoiled_leaves_the_keys_that_were_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "master.key"
    masters = MasterKeys.from_file(path)
    before = list(masters.all)
    for spoil in (lambda: path.write_text("nonsense\n"), path.unlink):
        spoil()
        masters.refresh_blocking()
        assert list(masters.all) == before
    assert caplog.text.count("those read before are used") == 2


def test_keys_of_the_environment() -> None:
    lines = [new_key_line().strip() for _ in range(2)]
    masters = MasterKeys.from_text(" ".join(lines), "MTD_MASTER_KEY")
    assert [key.material for key in masters.all] == [base64.b64decode(line) for line in lines]
    assert masters.all == MasterKeys.from_text(",\n".join(lines), "MTD_MASTER_KEY").all
    with pytest.raises(KeyUnusable, match="restart the daemon"):
        masters.add_new_blocking()
    for wrong in ("", "AAAA", f"{lines[0]} nonsense"):
        with pytest.raises(KeyUnusable, match="MTD_MASTER_KEY") as refused:
            MasterKeys.from_text(wrong, "MTD_MASTER_KEY")
        assert lines[0] not in str(refused.value)


def test_nothing_secret_in_a_repr(box: Box) -> None:
    box.seal(BOND, "secret")
    shown = repr([KEY, box.vault, box.vault.masters, box.vault.sealer, box.vault.opener, box.keys.keys])
    assert repr(KEY.material) not in shown
    assert KEY.material.hex() not in shown
    assert repr(box.keys.keys[0].wrapped) not in shown
    assert PASSWORD in str(BOND)


def test_the_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "master.key"
    first = load_or_make_keys(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_make_keys(path) == first
    assert list(path.parent.iterdir()) == [path]


def test_two_processes_that_make_it_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "master.key"
    real = Path.hardlink_to

    def slower(self: Path, target: Path) -> None:
        if not self.exists():  # the other process, just before us
            self.write_text(new_key_line())
            self.chmod(0o600)
        real(self, target)

    monkeypatch.setattr(Path, "hardlink_to", slower)
    assert load_or_make_keys(path) == load_or_make_keys(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    load_or_make_keys(path)
    path.chmod(mode)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        load_or_make_keys(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("AAAA\n", "holds 3 bytes"),
        ("not base64!\n", "isn't base64"),
        ("\u00e9\n", "isn't a key file"),
    ],
)
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "master.key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(KeyUnusable, match=message):
        load_or_make_keys(path)


def test_a_lost_file_is_not_replaced_where_passwords_are_stored(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with pytest.raises(KeyUnusable, match="restore it from the backup"):
        MasterKeys.from_file(path, may_make=False)
    assert not path.exists()
    MasterKeys.from_file(path)
    MasterKeys.from_file(path, may_make=False)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "master.key").mkdir(mode=0o700)
    with pytest.raises(KeyUnusable, match="isn't a file"):
        load_or_make_keys(tmp_path / "master.key")


def test_several_keys_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    lines = [new_key_line(), new_key_line()]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(descriptor, "".join(lines).encode())
    os.close(descriptor)
    keys = load_or_make_keys(path)
    assert keys == [MasterKey.of(base64.b64decode(line)) for line in lines]
