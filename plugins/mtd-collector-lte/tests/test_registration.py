import pytest

from mtd.model.command import Rows
from mtd_collector_lte.registration import STATES, with_registration


def state_of(**row: bytes) -> bytes | None:
    columns = {name.replace("_", "-"): (value,) for name, value in row.items()}
    return with_registration(Rows(1, columns)).column("registration")[0]


@pytest.mark.parametrize(
    ("word", "state"),
    [
        (b"registered", "registered"),
        (b"Registered, home network", "registered"),
        (b"registered-home", "registered"),
        (b"registered, roaming", "roaming"),
        (b"registered (roaming)", "roaming"),
        (b"roaming", "roaming"),
        (b"searching", "searching"),
        (b"not registered, searching", "searching"),
        (b"registration denied", "denied"),
        (b"not registered", "not_registered"),
        (b"disabled", "off"),
        (b"sim not present", "off"),
    ],
)
def test_modems_have_words_of_their_own(word: bytes, state: str) -> None:
    assert state_of(registration_status=word) == state_of(status=word) == state.encode()
    assert state in STATES


def test_the_status_of_the_registration_counts_more_than_that_of_the_modem() -> None:
    assert state_of(status=b"connected", registration_status=b"searching") == b"searching"


@pytest.mark.parametrize("yes", [b"true", b"yes"])
def test_some_modems_say_beside_it_that_they_are_abroad(yes: bytes) -> None:
    assert state_of(status=b"connected", roaming=yes) == b"roaming"
    assert state_of(status=b"searching", roaming=yes) == b"searching"


def test_a_word_that_is_not_known_is_no_state() -> None:
    assert state_of(status=b"dreaming") == b"dreaming"
    assert b"dreaming".decode() not in STATES


def test_nothing_is_made_of_nothing() -> None:
    assert state_of() is None
    assert state_of(status=b"", registration_status=b"") is None
