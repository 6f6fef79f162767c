"""The hooks that mtd calls in plugins. Grown only by addition.

A hook implementation may take fewer arguments than its specification, so that
a hook can get new ones later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pluggy

from mtd.plugin.declaration import Collector
from mtd.security.interfaces import ISecretProvider

PROJECT = "mtd"
# Version of the contract between mtd and its plugins. It grows when something
# that a plugin relies on changes its meaning; additions don't count.
API_VERSION = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class PluginSpecs:
    """What a plugin can offer to mtd."""

    @hookspec
    def mtd_collectors(self) -> Iterable[Collector]:  # type: ignore[empty-body]
        """Return the collectors that the plugin brings: what to read from routers.

        Called once, when the plugin is loaded, and again at a reload. A plugin
        which raises here, or whose declaration is wrong, is left out with a
        reason; all others work.

        Example::

            from mtd.plugin import Collector, hookimpl

            @hookimpl
            def mtd_collectors():
                return [Collector(name="clock", api=1, description="...", menus=(...,))]

        .. versionadded:: 1
        """

    @hookspec
    def mtd_secret_providers(  # type: ignore[empty-body]
        self, settings: Mapping[str, Mapping[str, Any]]
    ) -> Iterable[ISecretProvider]:
        """Return what knows secrets that are kept elsewhere; see `mtd.plugin.ISecretProvider`.

        Called once, when the daemon starts. ``settings`` is the configuration's
        ``security.providers.plugins``: what is set for each scheme. A provider
        whose scheme is taken, or which raises, is left out with a reason.

        Example::

            @hookimpl
            def mtd_secret_providers(settings):
                return [Wallet(**settings["wallet"])] if "wallet" in settings else []

        .. versionadded:: 1
        """
