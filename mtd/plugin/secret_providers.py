"""Providers of secrets that plugins bring: each has to be what it says it is."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import pluggy
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from mtd.security.interfaces import ISecretProvider

logger = logging.getLogger(__name__)


def brings_providers(hooks: pluggy.PluginManager, plugin: object) -> bool:
    """Return whether a plugin implements the hook."""
    return any(found.plugin is plugin for found in hooks.hook.mtd_secret_providers.get_hookimpls())


def providers_of(
    hooks: pluggy.PluginManager, settings: Mapping[str, Mapping[str, Any]], taken: Iterable[str]
) -> dict[str, ISecretProvider]:
    """Return all providers by their schemes. One that is wrong is left out, and the log says why."""
    found: dict[str, ISecretProvider] = {}
    names = set(taken)
    # In the order in which they were loaded: that one decides who has a scheme that two bring.
    for name, plugin in hooks.list_name_plugin():
        if not brings_providers(hooks, plugin):
            continue
        others = [other for other in hooks.get_plugins() if other is not plugin]
        try:
            answers = hooks.subset_hook_caller("mtd_secret_providers", remove_plugins=others)(
                settings=settings
            )
            offered = [provider for answer in answers for provider in answer]
            for provider in offered:
                verifyObject(ISecretProvider, provider)
        except Invalid as error:
            logger.error("providers of plugin %s are left out: %s", name, str(error).strip())
            continue
        except Exception as error:
            # Foreign code, and its text may hold what was set for it: only what it is is told.
            logger.error("providers of plugin %s are left out: it failed with %s", name, type(error).__name__)
            continue
        for provider in offered:
            if provider.scheme in names:
                logger.error(
                    "provider %r of plugin %s is left out: the scheme is taken", provider.scheme, name
                )
                continue
            names.add(provider.scheme)
            found[provider.scheme] = provider
    return found
