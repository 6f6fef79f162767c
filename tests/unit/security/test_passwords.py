"""Passwords: hashed, checked, and never more at a time than the machine can bear."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from mtd.core.errors import Refused
from mtd.security.config import PasswordsConfig
from mtd.security.passwords import Passwords, TooManyLogins
from mtd.testing import run_async
from mtd.testing.metrics import metric

CHEAP = PasswordsConfig(memory_kib=8192, passes=1, lanes=1, at_a_time=1, waiting=1)
PASSWORD = "correct horse battery"


class Counting:
    """Notes what it is asked to verify."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self._hasher = hasher
        self.verified: list[str] = []

    def hash(self, password: str) -> str:
        return self._hasher.hash(password)

    def verify(self, stored: str, password: str) -> bool:
        self.verified.append(stored)
        return self._hasher.verify(stored, password)


class Held:
    """Hashes nothing until it may."""

    def __init__(self, go: threading.Event) -> None:
        self._go = go

    def hash(self, password: str) -> str:
        return "done" if self._go.wait(10) else "never"


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(CHEAP)
    yield made
    made.stop()


def test_a_password_is_known_again_and_no_other(passwords: Passwords) -> None:
    async def main() -> None:
        stored = await passwords.hash(PASSWORD)
        assert stored.startswith("$argon2id$")
        assert PASSWORD not in stored
        assert await passwords.verify(stored, PASSWORD)
        assert not await passwords.verify(stored, PASSWORD + " ")
        assert not await passwords.verify(stored, "")
        assert await passwords.hash(PASSWORD) != stored

    run_async(main())


def test_the_same_letters_are_the_same_password(passwords: Passwords) -> None:
    async def main() -> None:
        stored = await passwords.hash("gr\u00fc\u00dfe aus wien")
        assert await passwords.verify(stored, "gru\u0308\u00dfe aus wien")

    run_async(main())


def test_who_isnt_there_takes_as_much_work(passwords: Passwords) -> None:
    def checks() -> float:
        return metric("mtd_security_password_checks_total", result="bad")

    async def main() -> None:
        before = checks()
        hasher = Counting(passwords._hasher)
        passwords._hasher = hasher  # type: ignore[assignment]
        assert not await passwords.verify("", PASSWORD)
        assert len(hasher.verified) == 1
        assert hasher.verified[0].startswith("$argon2id$v=19$m=8192,t=1,p=1$")
        assert not await passwords.verify("no hash at all", PASSWORD)
        assert checks() == before + 2

    run_async(main())


def test_old_hashes_are_known_and_told_to_be_old(passwords: Passwords) -> None:
    async def main() -> None:
        stored = await passwords.hash(PASSWORD)
        assert not passwords.is_outdated(stored)
        stronger = Passwords(CHEAP.model_copy(update={"passes": 2}))
        try:
            assert await stronger.verify(stored, PASSWORD)
            assert stronger.is_outdated(stored)
            assert stronger.is_outdated("no hash at all")
        finally:
            stronger.stop()

    run_async(main())


@pytest.mark.parametrize(("password", "words"), [("short", "too short"), ("x" * 1025, "longer than")])
def test_what_may_not_be_chosen(passwords: Passwords, password: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        run_async(passwords.hash(password))


def test_more_than_can_wait_are_refused(passwords: Passwords) -> None:
    async def main() -> None:
        go = threading.Event()
        passwords._hasher = Held(go)  # type: ignore[assignment]
        held = [asyncio.ensure_future(passwords.hash(PASSWORD)) for _ in range(2)]
        await asyncio.sleep(0)
        try:
            with pytest.raises(TooManyLogins, match="2 passwords"):
                await passwords.hash(PASSWORD)
        finally:
            go.set()
        assert await asyncio.gather(*held) == ["done", "done"]
        assert await passwords.hash(PASSWORD) == "done"

    run_async(main())
