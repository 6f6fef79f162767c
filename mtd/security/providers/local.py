"""Secrets in files and in the environment."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from zope.interface import implementer

from mtd.core.errors import Refused
from mtd.security.errors import SecretUnavailable
from mtd.security.interfaces import Fetched, ISecretProvider

_MOST_BYTES = 64 * 1024
_NEVER = frozenset({"MTD_MASTER_KEY"})  # whatever the prefixes: it opens all the others
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@implementer(ISecretProvider)
class FileProvider:
    """``file:/run/secrets/core``: the content of a file, without the line's end, below a folder that is allowed."""

    scheme = "file"

    def __init__(self, directories: Sequence[str]) -> None:
        self._directories = directories

    def check(self, tenant_id: str, path: str) -> None:
        """Raise Refused for a file outside of the folders."""
        # Not resolved: no I/O here. Links are followed, and looked at again, when it is read.
        if ".." in Path(path).parts or not any(
            Path(path).is_relative_to(root) for root in self._roots(tenant_id)
        ):
            raise Refused(
                f"file:{path} is not below a folder of security.providers.file_directories that this tenant may use"
            )

    async def fetch(self, tenant_id: str, path: str) -> Fetched:
        """Return what is in a file."""
        return Fetched(await asyncio.to_thread(self._read, tenant_id, path))

    async def stop(self) -> None:
        """There is nothing open."""

    def _roots(self, tenant_id: str) -> list[Path]:
        return [Path(directory.replace("{tenant}", tenant_id)) for directory in self._directories]

    def _read(self, tenant_id: str, path: str) -> str:
        try:
            real = Path(path).resolve(strict=True)
            if not any(real.is_relative_to(root.resolve()) for root in self._roots(tenant_id)):
                raise SecretUnavailable("the file is a link out of the folders that are allowed")
            if not real.is_file():
                raise SecretUnavailable("it isn't a file")
            with real.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise SecretUnavailable(f"the file can't be read ({error.strerror})") from None
        if len(content) > _MOST_BYTES:
            raise SecretUnavailable(f"the file is longer than {_MOST_BYTES:,} bytes: is it the right one?")
        try:
            text = content.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise SecretUnavailable("the file isn't UTF-8 text") from None
        if not text:
            raise SecretUnavailable("the file is empty")
        return text


@implementer(ISecretProvider)
class EnvProvider:
    """``env:MTD_ROUTER_CORE``: a variable of the daemon's environment whose name begins as it is allowed."""

    scheme = "env"

    def __init__(self, prefixes: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._prefixes = prefixes
        self._environment = os.environ if environment is None else environment

    def check(self, tenant_id: str, path: str) -> None:
        """Raise Refused for other variables."""
        prefixes = tuple(prefix.replace("{tenant}", tenant_id.replace("-", "_")) for prefix in self._prefixes)
        if path in _NEVER or not _NAME.fullmatch(path) or not path.startswith(prefixes):
            raise Refused(
                f"env:{path} doesn't begin with one of security.providers.env_prefixes that this tenant may use"
            )

    async def fetch(self, tenant_id: str, path: str) -> Fetched:
        """Return the value of a variable."""
        value = self._environment.get(path)
        if not value:
            raise SecretUnavailable(
                "the daemon's environment has no such variable: set it and restart the daemon"
            )
        return Fetched(value)

    async def stop(self) -> None:
        """There is nothing open."""
