"""What an edge polls without a lease stays its own when it comes back, until it has let go."""

from __future__ import annotations

import uuid

from mtd.model.assignment import CollectorFacts
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.storage.pool import Database
from mtd.storage.stores.assignments import AssignmentStore
from mtd.storage.stores.memberships import MembershipStore
from mtd.storage.txn import Transaction
from mtd.testing import run_async
from tests.integration.certificates.kit import rows

DEVICES = [str(uuid.UUID(int=number, version=4)) for number in (1, 2)]
ALONE, LEASED = DEVICES
FACTS = CollectorFacts("c", "edge-1", str(uuid.uuid4()), frozenset({DEFAULT_TENANT_ID}))


def test_what_it_holds_isnt_free_before_it_says_so(postgres_dsn: str) -> None:
    async def main() -> None:
        database = Database.for_writing(postgres_dsn)
        await database.start()
        members, assignments = MembershipStore(database), AssignmentStore(database)

        async def put(tx: Transaction) -> None:
            for device_id in DEVICES:
                await tx.execute(
                    "INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode)"
                    " VALUES (%s, %s, %s, 'h', 1, 'u', 'off')",
                    (DEFAULT_TENANT_ID, device_id, device_id),
                )
                await tx.execute(
                    "INSERT INTO device_assignment (tenant_id, device_id, collector_id, epoch, granted_epoch, state,"
                    " hold, revision) VALUES (%s, %s, 'c', 1, 1, 'releasing', 'withdrawn', 1)",
                    (DEFAULT_TENANT_ID, device_id),
                )

        def found() -> dict[str, tuple[str, str]]:
            sql = "SELECT device_id::text, state, hold FROM mtd.device_assignment"
            return {device_id: (state, hold) for device_id, state, hold in rows(postgres_dsn, sql)}

        await members.join(FACTS, 1)
        await database.run("test", put)
        # Its lease was over, and it comes back: one of them it polls at this moment.
        await members.join(FACTS, 2, [ALONE])
        assert found() == {ALONE: ("releasing", "withdrawn"), LEASED: ("free", "lease")}
        # It breaks off before it is told anything, and comes back again.
        await members.join(FACTS, 3, [ALONE])
        assert found()[ALONE] == ("releasing", "withdrawn")
        # It came back between an operator's look and word: what it polls alone isn't given to others.
        assert await assignments.release_all("c") == 0
        assert found()[ALONE] == ("releasing", "withdrawn")
        await assignments.applied(FACTS, 100)
        assert found()[ALONE] == ("releasing", "lease")
        await assignments.released(FACTS, {ALONE: 1})
        assert found()[ALONE] == ("free", "lease")
        await database.stop()

    run_async(main())
