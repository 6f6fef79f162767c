from __future__ import annotations

from mtd.scheduler.account import Account


def test_sessions_add_up() -> None:
    account = Account()
    account.logged_in(0.0)
    account.polled(0.1, (3, 100, 1000))
    account.polled(0.3, (6, 200, 2000))
    assert account.traffic == (6, 200, 2000)
    account.session_ended((7, 210, 2100))
    account.logged_in(10.0)
    assert account.traffic == (7, 210, 2100)
    account.polled(0.2, (1, 10, 100))
    assert account.traffic == (8, 220, 2200)
    assert (account.sessions_opened, account.polls) == (2, 3)
    assert round(account.poll_s, 6) == 0.6


def test_the_slowest_poll_is_given_once() -> None:
    account = Account()
    assert account.take_slowest() == 0.0
    account.polled(0.3, (0, 0, 0))
    account.polled(0.1, (0, 0, 0))
    assert account.take_slowest() == 0.3
    account.polled(0.2, (0, 0, 0))
    assert account.take_slowest() == 0.2


def test_logins_of_the_last_hour() -> None:
    account = Account()
    for at in (0.0, 1000.0, 3000.0, 4000.0):
        account.logged_in(at)
    assert account.logins_within(4000.0) == 3
    assert account.logins_within(4000.0, 500.0) == 1
    assert account.logins_within(9000.0) == 0
