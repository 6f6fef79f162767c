"""What died with a worker: all that it took in, less what it handed over and told."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mtd.core.shared_numbers import SharedNumbers
from mtd.listeners.flows.config import ExporterConfig, FlowsConfig
from mtd.listeners.flows.ledger import DATAGRAMS, DROPPED, HELD, RECORDS, Account, Died, Ledger, numbers_for
from mtd.listeners.flows.receiver import Receiver
from mtd.listeners.udp import Received
from mtd.model.flows import FlowPortion
from tests.unit.codec.flows import kit
from tests.unit.listeners.flows.test_receiver import NOW_US, TEMPLATE, A, B, C, rows

MUCH = 100_000_000  # octets that no link carries, if they are of one packet of a million


def ledger_of(account: Account, exporters: int = 10) -> Ledger:
    """Return the worker's side, as another process has it."""
    return Ledger(SharedNumbers(numbers_for(exporters), account.fd).view)


def test_what_was_taken_and_not_told_died() -> None:
    account = Account(10)
    ledger = ledger_of(account)
    for address, taken in ((A, (9, 90, 0)), (C, (5, 50, 2)), (B, (1, 10, 0))):
        row = ledger.row_of(address)
        row[DATAGRAMS], row[RECORDS], row[HELD] = taken
    ledger.strangers[DATAGRAMS] = 7
    account.hand_over(A, 60)
    account.tell(A, {"datagrams": 6, "stored": 60, "insane": 5, "empty": 4, "queue_full": 3, "bad_times": 9})
    account.tell(B, {"datagrams": 1, "stored": 10})
    account.hand_over(B, 10)
    account.tell("", {"datagrams": 4})
    assert account.settle() == [Died("", 3), Died(A, 3, 18), Died(C, 5, 50, 2)]
    assert Died(C, 5, 50, 2).counts() == {"datagrams": 5, "worker_died": 50, "held_dropped": 2}
    assert account.settle() == [], "the next one begins anew"
    again = ledger_of(account)
    again.row_of(B)[RECORDS] += 1
    assert account.settle() == [Died(B, 0, 1)]
    account.close()


def test_an_exporter_that_comes_back_goes_on_where_it_was() -> None:
    ledger = Ledger(memoryview(bytearray(8 * numbers_for(1))).cast("Q"))
    ledger.row_of(A)[RECORDS] = 5
    ledger.row_of(B)[RECORDS] = 6
    assert (ledger.row_of(A)[RECORDS], ledger.row_of(B)[RECORDS]) == (5, 6)
    ledger.row_of(C)[RECORDS] = 7
    assert ledger.row_of(C)[RECORDS] == 0, "there is no more room: it isn't accounted for"


@given(
    st.lists(
        st.tuples(
            st.sampled_from((A, B, "10.9.9.9")),
            st.lists(st.sampled_from((1, 2, MUCH)), max_size=4),
            st.sampled_from(("nothing", "flush", "tell", "forget")),
        ),
        max_size=20,
    ),
    st.integers(0, 30),
)
def test_all_that_was_sent_is_handed_over_told_or_died(
    sent: list[tuple[str, list[int], str]], room: int
) -> None:
    account, handed, told = Account(10), Counter[str](), Counter[str]()

    def send(portion: FlowPortion, _: str) -> bool:
        if handed.total() + portion.records > room:
            return False
        handed[portion.exporter] += portion.records
        account.hand_over(portion.exporter, portion.records)
        return True

    def tell() -> None:
        news = receiver.news()
        for address, counts in (*news["exporters"].items(), *news["gone"].items()):
            account.tell(address, counts)
            told.update(counts)
        account.tell("", {"datagrams": sum(news["strangers"].values())})
        told["strangers"] += sum(news["strangers"].values())

    config = FlowsConfig(max_exporters=10, exporters={A: ExporterConfig(sampling=1_000_000)})
    receiver = Receiver(config, send, ledger=ledger_of(account))
    receiver.know({A: "t", B: "t"})
    for address, octets, then in sent:
        receiver.put(Received(NOW_US, kit.v9(TEMPLATE, rows(*((one, 1) for one in octets))), address))
        if then == "flush":
            receiver.flush()
        elif then == "tell":
            tell()
        elif then == "forget":
            receiver.know({B: "t"})
            receiver.know({A: "t", B: "t"})
    died = account.settle()
    account.close()
    known = [octets for address, octets, _ in sent if address in (A, B)]
    records = sum(map(len, known))
    dropped = sum(told[reason] for reason in DROPPED)
    assert handed.total() + dropped + sum(one.records for one in died) == records
    assert told["datagrams"] + sum(one.datagrams for one in died if one.address) == len(known)
    assert told["strangers"] + sum(one.datagrams for one in died if not one.address) == len(sent) - len(known)
