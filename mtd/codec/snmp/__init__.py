"""SNMP notifications as devices send them: versions 1, 2c and 3, what proves them, and how they are answered.

Takes in datagrams, keys and moments; gives out what a trap tells, and bytes of answers. No sockets, no clocks.
"""

from mtd.codec.snmp.engine import Engine, Unproven
from mtd.codec.snmp.errors import NotSnmp
from mtd.codec.snmp.message import Plain, Secured, Version, plain_answer, read_message
from mtd.codec.snmp.pdu import Binding, Notification
from mtd.codec.snmp.usm import Auth, Priv, User
from mtd.codec.snmp.values import dotted, text_of

__all__ = [
    "Auth",
    "Binding",
    "Engine",
    "NotSnmp",
    "Notification",
    "Plain",
    "Priv",
    "Secured",
    "Unproven",
    "User",
    "Version",
    "dotted",
    "plain_answer",
    "read_message",
    "text_of",
]
