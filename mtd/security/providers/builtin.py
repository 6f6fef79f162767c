"""The providers that come with mtd, as the configuration allows them."""

from __future__ import annotations

from collections.abc import Mapping

from mtd.security.interfaces import ISecretProvider
from mtd.security.providers.config import ProvidersConfig
from mtd.security.providers.local import EnvProvider, FileProvider
from mtd.security.providers.vault_kv import VaultProvider


def builtin_providers(config: ProvidersConfig) -> Mapping[str, ISecretProvider]:
    """Return the providers that something is allowed for, by their schemes."""
    found: dict[str, ISecretProvider] = {}
    if config.file_directories:
        found[FileProvider.scheme] = FileProvider(config.file_directories)
    if config.env_prefixes:
        found[EnvProvider.scheme] = EnvProvider(config.env_prefixes)
    if config.vault.url:
        found[VaultProvider.scheme] = VaultProvider(config.vault)
    return found
