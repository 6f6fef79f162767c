"""Polls of devices that two collectors poll at a time: which one of an interval is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction


class OfferedPoll(NamedTuple):
    """A poll that is to be kept if it is the first of its interval, which begins at ``start_us``."""

    tenant_id: str
    device_id: str
    poll_group: str
    start_us: int
    seq: int


# In one order, whoever writes: two hubs that have both sides of an interval wait for each other, and not in a circle.
_CLAIM = """
INSERT INTO redundant_poll AS r (tenant_id, device_id, poll_group, interval_start, log_id, seq)
SELECT DISTINCT ON (t.tenant_id, t.device_id, t.poll_group, t.start_us)
       t.tenant_id, t.device_id, t.poll_group, from_us(t.start_us), %s::uuid, t.seq
  FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::int8[], %s::int8[])
       AS t (tenant_id, device_id, poll_group, start_us, seq)
 ORDER BY t.tenant_id, t.device_id, t.poll_group, t.start_us, t.seq
ON CONFLICT (tenant_id, device_id, poll_group, interval_start) DO UPDATE SET seq = r.seq
 WHERE r.log_id = excluded.log_id AND r.seq = excluded.seq
RETURNING seq
"""


async def claim_polls(tx: Transaction, log_id: str, polls: Sequence[OfferedPoll]) -> set[int]:
    """Return the positions of those polls that are the ones of their intervals, now and if they are written again."""
    if not polls:
        return set()
    tenants, devices, groups, starts, seqs = zip(*polls, strict=True)
    await tx.execute(
        _CLAIM,
        [
            log_id,
            literals.plain(tenants),
            literals.plain(devices),
            literals.texts(groups),
            literals.plain(starts),
            literals.plain(seqs),
        ],
    )
    return {row[0] for row in tx.fetchall()}


async def forget_old_polls(writer: Database, keep_days: float) -> int:
    """Forget which polls were kept so long ago; return how many. What comes as late is refused."""

    async def forget(tx: Transaction) -> int:
        await tx.execute(
            "DELETE FROM redundant_poll WHERE interval_start < now() - make_interval(secs => %s)",
            [keep_days * 86_400],
        )
        return tx.rowcount

    return await writer.run("redundant.forget", forget)
