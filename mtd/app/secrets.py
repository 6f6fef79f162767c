"""Secrets in the daemon: who seals, who opens, and where master keys come from."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtd.app.config import MASTER_KEY_FILE_VARIABLE
from mtd.core.errors import Misconfigured
from mtd.model.device import Severity
from mtd.model.observation import StateChange
from mtd.security.datakeys import KeyRing
from mtd.security.masters import MasterKeys
from mtd.security.opener import Opener
from mtd.security.providers.builtin import builtin_providers
from mtd.security.providers.resolver import SecretResolver
from mtd.security.sealer import Sealer
from mtd.storage.stores.polled import PolledDevices

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.ingest.recorder import Recorder
    from mtd.plugin.manager import PluginManager
    from mtd.storage.pool import Database

KEY_VARIABLE = "MTD_MASTER_KEY"


def master_keys(
    settings: Settings, *, may_make: bool, environment: Mapping[str, str] = os.environ
) -> MasterKeys:
    """Return the master keys of a configuration; blocking. Raises KeyUnusable, and Misconfigured if two places are named."""
    given = environment.get(KEY_VARIABLE)
    if given is None:
        return MasterKeys.from_file(settings.master_key_path, may_make=may_make)
    if settings.security.master_key_file is not None or environment.get(MASTER_KEY_FILE_VARIABLE):
        raise Misconfigured(
            f"the environment has {KEY_VARIABLE}, and a file of master keys is named, too: leave one of them away"
        )
    return MasterKeys.from_text(given, KEY_VARIABLE)


class Secrets:
    """The halves of the secret store: ``sealer`` is for doors, ``polled`` for what polls and for tools."""

    def __init__(
        self, settings: Settings, plugins: PluginManager, masters: MasterKeys, database: Database
    ) -> None:
        config = settings.security.providers
        providers = dict(builtin_providers(config))
        providers.update(plugins.secret_providers(config.plugins, providers))
        ring = KeyRing(masters)
        self.masters = masters
        self.sealer = Sealer(ring)
        self.resolver = SecretResolver(providers, config)
        self.opener = Opener(ring)
        self.polled = PolledDevices(database, self.opener, self.resolver)

    @classmethod
    async def of(
        cls, settings: Settings, plugins: PluginManager, database: Database, *, may_make: bool
    ) -> Secrets:
        """Return the store of a configuration. Raises KeyUnusable."""
        masters = await asyncio.to_thread(master_keys, settings, may_make=may_make)
        return cls(settings, plugins, masters, database)

    def start(self, recorder: Recorder) -> None:
        """Keep secrets that are kept elsewhere fresh, and tell on the timelines of their devices when that fails."""

        def troubled(tenant_id: str, reference: str, problem: str) -> None:
            change = trouble_event(reference, problem)
            for device in self.polled.users_of(tenant_id, reference):
                recorder.record_event(change, device)

        self.resolver.troubled = troubled
        self.resolver.start()

    async def stop(self) -> None:
        """End it."""
        await self.resolver.stop()


def trouble_event(reference: str, problem: str) -> StateChange:
    """Return the event that a secret can't be had, or can be had again."""
    if problem:
        message = f"{problem}; what it was goes on being used"
        event_type, severity = "secret.unavailable", Severity.WARNING
    else:
        message = f"{reference} can be had again"
        event_type, severity = "secret.available", Severity.INFO
    return StateChange(
        event_type=event_type,
        severity=severity,
        entity_type="secret",
        entity_id=reference,
        entity_label=reference,
        field="state",
        old="available" if problem else "unavailable",
        new="unavailable" if problem else "available",
        message=message,
    )
