"""What breaks, broken on purpose: a kit for the tests in ``tests/faults`` and for ``scripts/bench faults``.

A `Fleet` is lab routers, a daemon with a PostgreSQL of its own, and a `Supervisor` that starts the
daemon again as systemd does. The daemon is the usual one; beside its log it writes each event that
it was told is durable into a `ledger`, which has nothing to do with the log. A `Fault` strikes such
a fleet, tells how one sees it, and how it ends. `strike` does all that and gives `Figures`: seconds until
it was noticed, seconds until all was well again, and what the `judge` found: of the events in the ledger
none may be missing in PostgreSQL, and none may be there twice.

| module | what it has |
| --- | --- |
| ledger | what was acknowledged: written by the daemon's process, read by us |
| launcher | the daemon with a ledger |
| clock | a clock that can be set, for the daemon and its PostgreSQL |
| fleet | routers, daemon, supervisor, and questions about them |
| supervisor | starts again what died |
| victims | the processes of a fleet, by what they are |
| disks | small disks, full disks, disks that go read-only |
| network | a network of its own, and lines in it that lose, delay and forget packets |
| names | a name server that falls silent |
| networked | a fleet behind a bad line |
| edge_fleet | a hub, and a collector behind a bad line |
| replica | a PostgreSQL that follows another one, and is promoted |
| programs | programs of others that some faults need |
| judge | what is lost, what is doubled |
| fault | one fault, and how it is struck |
| catalogue | all faults, by name |
| kills | kills in a row, each in the middle of writing |
"""
