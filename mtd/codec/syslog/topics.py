"""Topics of RouterOS' log: what a line is about, and how serious it is."""

from __future__ import annotations

import enum
import re
from functools import lru_cache


class Severity(enum.IntEnum):
    """Severities of syslog (RFC 5424, 6.2.1); the lower, the worse."""

    EMERGENCY = 0
    ALERT = 1
    CRITICAL = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7


OF_TOPIC = {
    "critical": Severity.CRITICAL,
    "error": Severity.ERROR,
    "warning": Severity.WARNING,
    "info": Severity.INFO,
    "debug": Severity.DEBUG,
}

# Of /system/logging. A line without topics can begin with any word; with these it has them.
_TOPICS = """
    account async backup bfd bgp bridge calc caps certificate clock container critical ddns debug dhcp disk dns dot1x dude
    e-mail error event fetch firewall gps gsm health hotspot igmp-proxy info interface iot ipsec iscsi isdn isis kvm l2tp ldp
    lora lte manager mme mpls mqtt natpmp netinstall netwatch ntp ospf ovpn packet pim poe-out ppp pppoe pptp ptp queue radius
    radvd raw read rip route rpki rsvp script sertcp simulator smb snmp ssh sstp state store stp system telephony tftp timer
    tr069 update upnp ups vpls vrrp warning watchdog web-proxy wifi wireguard wireless write zerotier
"""
KNOWN = frozenset(_TOPICS.split())

_SEVERAL = re.compile(rb"([a-z0-9-]++(?:, ?[a-z0-9-]++){1,15}+) ")
_ONE = re.compile(rb"([a-z0-9-]++) ")


def split_topics(text: bytes, *, alone: bool) -> tuple[tuple[str, ...], bytes]:
    """Return the topics that a line begins with, and the rest; no topics if it doesn't.

    Lines of the log's own tables have a blank behind commas at times. ``alone``: whether a single word may be a topic:
    where a time or a priority stands before it, it's rather the first word of a sentence. A topic that isn't known,
    of a RouterOS to come, is taken for one beside a severity.
    """
    found = _SEVERAL.match(text) or (_ONE.match(text) if alone else None)
    if found is None:
        return (), text
    topics = _topics_of(found[1])
    return (topics, text[found.end() :]) if topics else ((), text)


# Bounded: they come from the wire.
@lru_cache(maxsize=1024)
def _topics_of(words: bytes) -> tuple[str, ...]:
    topics = tuple(word.strip().decode("ascii") for word in words.split(b","))
    beside_severity = len(topics) > 1 and not OF_TOPIC.keys().isdisjoint(topics)
    return topics if beside_severity or KNOWN.issuperset(topics) else ()


@lru_cache(maxsize=1024)
def severity_of(topics: tuple[str, ...]) -> Severity | None:
    """Return the worst severity among topics; None if none says one."""
    return min((OF_TOPIC[topic] for topic in topics if topic in OF_TOPIC), default=None)
