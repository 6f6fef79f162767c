"""An SNMP agent for each simulated router: the same truth as its API tells, read by other names.

Versions 1 and 2c, reading only, written by hand: it shares no code with what
reads it.
"""

from mtd.lab.snmp.agent import SnmpAgent

__all__ = ["SnmpAgent"]
