"""Logins that devices share, by what they are for."""

from __future__ import annotations

import enum


class Purpose(enum.StrEnum):
    """What a set of credentials is for."""

    READONLY = "readonly"  # polling
    DIAGNOSTICS = "diagnostics"  # tools that routers run on demand
    CONFIG_AUDIT = "config-audit"  # reading the configuration

    @property
    def setting(self) -> str:
        """Return the setting of a device that names its set."""
        return f"{self.value.replace('-', '_')}_credentials"
