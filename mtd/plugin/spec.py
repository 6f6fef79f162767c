"""The hooks that mtd calls in plugins. Grown only by addition.

A hook implementation may take fewer arguments than its specification, so that
a hook can get new ones later.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from mtd.plugin.declaration import Collector

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
