"""SNMP: standard counters, sensors and facts of a device whose API is closed.

Takes commands as any source does, and what SNMP tells of their menus
(`mtd.plugin.declaration.snmp`); gives rows as the RouterOS API would have
written them. What has no such table is told to be not served. Reads only.
"""

from mtd.sources.snmp.config import SnmpConfig
from mtd.sources.snmp.source import SnmpSource
from mtd.sources.snmp.trial import test_snmp

__all__ = ["SnmpConfig", "SnmpSource", "test_snmp"]
