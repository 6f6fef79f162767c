"""What keeps a scan from running."""

from __future__ import annotations

from mtd.core.errors import Refused, Retryable


class SubnetNotListed(Refused):
    """Nobody allowed the subnet to be scanned."""

    hint = "list it in the configuration: discovery.subnets"


class ScanBusy(Retryable):
    """A scan is under way."""

    hint = "wait until it ends, or cancel it"
