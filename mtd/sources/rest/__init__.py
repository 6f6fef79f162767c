"""REST of RouterOS 7 (TCP 443 with TLS, 80 without), on Twisted.

Takes a device and commands; gives replies as raw columns, as the API source
does. A few requests at a time per router, each answered whole. Never falls
back to a weaker transport or a weaker check than the device's settings ask for.
"""

from mtd.sources.rest.config import RestConfig
from mtd.sources.rest.opening import open_rest
from mtd.sources.rest.source import RestSource
from mtd.sources.rest.trial import test_rest

__all__ = ["RestConfig", "RestSource", "open_rest", "test_rest"]
