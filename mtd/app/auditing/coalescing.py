"""Refusals that are alike become one entry with their number: who knocks a million times fills no disk."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mtd.core.clock import Clock
from mtd.core.limits import TokenBucket
from mtd.model.audit import AuditEntry
from mtd.model.principal import CallerKind
from mtd.model.tenant import NO_TENANT_ID

_REFUSALS = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
_MOST_KINDS = 64
_LONGEST_S = 600.0
# Kinds of refusals that begin: so many at once, and so many on average. What is beyond is counted in one entry.
_BURST = 60.0
_PER_S = 0.1

SEVERAL = "(several)"
"""The action of the entry that counts refusals of all kinds, when there were too many kinds."""

_OTHERS = ("", "", "", "", "", "", "")
_Key = tuple[str, ...]


@dataclass(slots=True)
class _Account:
    entry: AuditEntry
    window_s: float
    since: float
    count: int = 0


class Coalescer:
    """Keeps accounts of refusals. The first of a kind is written at once; those that follow soon are counted."""

    def __init__(self, window_s: float, clock: Clock) -> None:
        self._window_s = window_s
        self._clock = clock
        self._bucket = TokenBucket(_PER_S, _BURST, clock=clock)
        self._accounts: dict[_Key, _Account] = {}

    @staticmethod
    def concerns(entry: AuditEntry) -> bool:
        """Return whether an entry is of the kind that is counted."""
        return entry.outcome in _REFUSALS

    @property
    def waiting(self) -> bool:
        """Whether there are accounts that time will close."""
        return bool(self._accounts)

    def admit(self, entry: AuditEntry) -> bool:
        """Return whether a refusal is to be written now; otherwise it was counted, and `due` will tell of it."""
        now = self._clock.monotonic()
        key = _key(entry)
        account = self._accounts.get(key)
        if account is None:
            if len(self._accounts) < _MOST_KINDS and self._bucket.take():
                self._accounts[key] = _Account(entry, self._window_s, now)
                return True
            account = self._accounts.get(_OTHERS)
            if account is None:
                account = self._accounts[_OTHERS] = _Account(_others(entry), self._window_s, now)
        account.count += 1
        return False

    def due(self, *, at_once: bool = False) -> list[AuditEntry]:
        """Return the entries of accounts whose time is over, or of all."""
        now = self._clock.monotonic()
        found = []
        for key, account in list(self._accounts.items()):
            if not at_once and now - account.since < account.window_s:
                continue
            if not account.count:
                del self._accounts[key]
                continue
            counted = {"count": str(account.count), "within_s": f"{now - account.since:.0f}"}
            found.append(replace(account.entry, detail={**account.entry.detail, **counted}))
            # It goes on: the next one covers a longer time.
            account.count, account.since = 0, now
            account.window_s = min(account.window_s * 2, max(_LONGEST_S, self._window_s))
        return found


def host_of(peer: str) -> str:
    """Return the address of a peer without its port: each connection has another."""
    if peer.startswith("unix:"):
        return peer
    address = peer.removeprefix("ipv4:").removeprefix("ipv6:")
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.rpartition(":")[0] if address.count(":") == 1 else address


def _key(entry: AuditEntry) -> _Key:
    return (
        entry.tenant_id,
        entry.caller_kind,
        entry.caller_id or entry.caller,
        host_of(entry.peer),
        entry.action,
        entry.outcome,
        entry.detail.get("reason", ""),
    )


def _others(entry: AuditEntry) -> AuditEntry:
    return AuditEntry(
        SEVERAL,
        entry.outcome,
        NO_TENANT_ID,
        str(CallerKind.UNKNOWN),
        "",
        detail={"reason": "more kinds of refusals than are told one by one"},
    )
