"""RouterOS over its API (TCP 8728, TLS 8729), on Twisted.

Takes a device and commands; gives replies as raw columns. One session per
router, many commands under way by tag. Never falls back to a weaker transport
or a weaker check than the device's settings ask for.
"""

from mtd.sources.routeros_api.config import RouterOsApiConfig
from mtd.sources.routeros_api.source import RouterOsApiSource
from mtd.sources.routeros_api.trial import test_connection
from mtd.sources.steps import TestStep
from mtd.sources.trial import ConnectionTest

__all__ = ["ConnectionTest", "RouterOsApiConfig", "RouterOsApiSource", "TestStep", "test_connection"]
