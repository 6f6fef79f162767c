"""Passwords of people: hashed with Argon2id, in threads, a few at a time."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mtd.core.errors import Refused, Retryable
from mtd.security.config import PasswordsConfig
from mtd.security.metrics import PASSWORD_CHECKS, PASSWORDS_REFUSED

T = TypeVar("T")

MOST_CHARACTERS = 1024


class TooManyLogins(Retryable):
    """More passwords are to be checked at a time than the machine can bear."""

    hint = "try again in a few seconds"


class Passwords:
    """Hashes passwords and checks them. Each takes tens of milliseconds of a core, and memory: on purpose.

    So many at a time as the configuration says, some wait, the others are refused with TooManyLogins.
    """

    def __init__(self, config: PasswordsConfig | None = None) -> None:
        self._config = config = config or PasswordsConfig()
        self._hasher = PasswordHasher(
            time_cost=config.passes, memory_cost=config.memory_kib, parallelism=config.lanes
        )
        self._threads = ThreadPoolExecutor(config.at_a_time, thread_name_prefix="passwords")
        self._here = 0
        self._stand_in = ""  # made when it is first needed

    async def hash(self, password: str) -> str:
        """Return what is stored of a password. Raises Refused for one that is too short or too long."""
        self.check_choice(password)
        return await self._aside(lambda: self._hasher.hash(_normal(password)))

    async def verify(self, stored: str, password: str) -> bool:
        """Return whether a password is the one that was hashed.

        ``stored`` is empty where there is no such user, or none with a password: that takes as long, so that
        nobody learns by the time which names there are.
        """
        if len(password) > MOST_CHARACTERS:
            password = ""  # can't be right, and would take long
        good = await self._aside(lambda: self._check(stored, password))
        PASSWORD_CHECKS.labels(result="good" if good else "bad").inc()
        return good

    def is_outdated(self, stored: str) -> bool:
        """Whether a password was hashed with other parameters than today's: hash it anew when it is at hand."""
        try:
            return self._hasher.check_needs_rehash(stored)
        except InvalidHashError:
            return True

    def check_choice(self, password: str) -> None:
        """Raise Refused unless somebody may choose this password."""
        least = self._config.least_characters
        if len(password) < least:
            raise Refused(f"the password is too short: take {least} characters or more, such as a few words")
        if len(password) > MOST_CHARACTERS:
            raise Refused(f"the password is longer than {MOST_CHARACTERS} characters")

    def stop(self) -> None:
        """End the threads; what runs is finished."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _check(self, stored: str, password: str) -> bool:
        if not self._stand_in:
            self._stand_in = self._hasher.hash(secrets.token_hex())
        try:
            self._hasher.verify(stored or self._stand_in, _normal(password))
        except (VerificationError, InvalidHashError):
            return False
        return bool(stored)

    async def _aside(self, work: Callable[[], T]) -> T:
        if self._here >= self._config.at_a_time + self._config.waiting:
            PASSWORDS_REFUSED.inc()
            raise TooManyLogins(f"{self._here} passwords are being checked or wait for it")
        self._here += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._here -= 1


def _normal(password: str) -> str:
    """Return a password as it is hashed: keyboards write the same letter in different ways."""
    return unicodedata.normalize("NFC", password)
