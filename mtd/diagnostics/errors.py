"""What keeps a tool from running."""

from __future__ import annotations

from mtd.core.errors import Misconfigured, Refused, Retryable


class ToolBusy(Retryable):
    """A tool runs already: on the router, or as many as there may be."""

    hint = "wait until it ends, or cancel it"


class ToolForbidden(Refused):
    """The configuration doesn't allow the tool, or as much of it as was asked for."""

    hint = "see [diagnostics] in the configuration"


class RouterRefused(Misconfigured):
    """The router doesn't run the tool; the text has its words, and what to do."""


class CollectorUnable(Misconfigured):
    """This machine doesn't let the daemon run the tool; the text says what to change."""
