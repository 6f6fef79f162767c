from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from mtd.security.errors import KeyUnusable, SecretUnreadable
from mtd.security.interfaces import ISecretStore
from mtd.security.keyfile import MasterKey, load_or_make_keys, new_key_line
from mtd.security.vault import Vault

TENANT, OTHER_TENANT = "tenant-a", "tenant-b"
DEVICE, OTHER_DEVICE = "device-1", "device-2"
KEY = MasterKey.of(bytes(range(32)))


@pytest.fixture
def vault() -> Vault:
    return Vault([KEY])


def test_is_a_secret_store(vault: Vault) -> None:
    assert verifyObject(ISecretStore, vault)


@given(st.text())
def test_opens_what_it_sealed(secret: str) -> None:
    vault = Vault([KEY])
    assert vault.open(TENANT, DEVICE, vault.seal(TENANT, DEVICE, secret)) == secret


def test_ciphertext_differs_each_time_and_hides_the_secret(vault: Vault) -> None:
    first, second = (vault.seal(TENANT, DEVICE, "correct horse") for _ in range(2))
    assert first != second
    assert b"correct horse" not in first


@pytest.mark.parametrize(("tenant", "device"), [(OTHER_TENANT, DEVICE), (TENANT, OTHER_DEVICE)])
def test_a_secret_moved_to_another_row_stays_shut(vault: Vault, tenant: str, device: str) -> None:
    sealed = vault.seal(TENANT, DEVICE, "secret")
    with pytest.raises(SecretUnreadable, match="damaged or belongs to another device"):
        vault.open(tenant, device, sealed)


def test_every_flipped_bit_is_noticed(vault: Vault) -> None:
    sealed = vault.seal(TENANT, DEVICE, "secret")
    for position in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[position] ^= 1
        with pytest.raises(SecretUnreadable):
            vault.open(TENANT, DEVICE, bytes(damaged))


@given(st.binary(max_size=80))
def test_garbage_is_unreadable_and_nothing_else(garbage: bytes) -> None:
    with pytest.raises(SecretUnreadable):
        Vault([KEY]).open(TENANT, DEVICE, garbage)


def test_rotation_opens_old_secrets_and_seals_with_the_new_key() -> None:
    old = MasterKey.of(bytes(32))
    sealed = Vault([old]).seal(TENANT, DEVICE, "secret")
    rotated = Vault([KEY, old])
    assert rotated.open(TENANT, DEVICE, sealed) == "secret"
    assert not rotated.is_current(sealed)
    assert rotated.is_current(rotated.seal(TENANT, DEVICE, "secret"))


def test_a_lost_key_is_named(vault: Vault) -> None:
    stranger = MasterKey.of(bytes(32))
    sealed = Vault([stranger]).seal(TENANT, DEVICE, "secret")
    with pytest.raises(SecretUnreadable, match=stranger.key_id.hex()):
        vault.open(TENANT, DEVICE, sealed)


def test_nothing_secret_in_a_repr(vault: Vault) -> None:
    assert repr(KEY.material) not in repr(KEY)
    assert KEY.material.hex() not in repr(KEY) + repr(vault)


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
        Vault.from_file(path, may_make=False)
    assert not path.exists()
    Vault.from_file(path)
    Vault.from_file(path, may_make=False)


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
    assert len(keys) == 2
    assert Vault(keys).is_current(Vault(keys[:1]).seal(TENANT, DEVICE, "x"))
