"""The clients of this process, one per connection and deadline, and what is known of mtd being away.

A client is made by the first call of the process that needs it, never before a fork, and never in the
process that serves websockets: a call that blocks there would hold up every browser.
"""

import os
import threading
import time

AWAY_S = 30.0
"""For how long nobody waits for an mtd that couldn't be reached."""

LATE = "DEADLINE_EXCEEDED"
_AWAY_CODES = frozenset({"UNAVAILABLE", LATE})


NEWEST = ("health", "poll_now")
"""What the client learnt last of all that is asked of it: one that has these has the rest."""


def make_client(options, timeout_s):
    """Return a client of mtd. The seam at which tests put theirs. Raises MtdClientError if it is too old."""
    from mtd.client import MtdClient, MtdClientError

    if missing := [name for name in NEWEST if not hasattr(MtdClient, name)]:
        raise MtdClientError(
            f"the mtd in the Python that runs Odoo is older than this addon: it lacks {', '.join(missing)}",
            code="FAILED_PRECONDITION",
            reason="OLD_CLIENT",
            hint="install the one that the addon came with, pip install '/opt/mtd[odoo]', and start Odoo and the "
            "bridge anew",
        )
    return MtdClient(timeout_s=timeout_s, **options)


class Clients:
    """Clients by connection, made anew when their settings, files or process change. Threads share them."""

    def __init__(self):
        self._lock = threading.Lock()
        self._pid = 0
        self._clients = {}

    def get(self, key, fingerprint, options, timeout_s):
        """Return the client of a connection whose calls take so long at most.

        ``options`` is a function: it is asked when a client has to be made.
        """
        with self._lock:
            if self._pid != os.getpid():
                # Clients of the process that forked aren't ours to close.
                self._pid, self._clients = os.getpid(), {}
            known, client = self._clients.get((key, timeout_s), (None, None))
            if known == fingerprint:
                return client
            self._drop(key, but=fingerprint)
            client = make_client(options(), timeout_s)
            self._clients[key, timeout_s] = (fingerprint, client)
            return client

    def forget(self, key):
        """Close the clients of a connection."""
        with self._lock:
            if self._pid == os.getpid():
                self._drop(key)

    def _drop(self, key, but=None):
        stale = [one for one, (known, _) in self._clients.items() if one[0] == key and known != but]
        for one in stale:
            self._clients.pop(one)[1].close()


class Breaker:
    """Which connections lead nowhere at the moment, as far as this process has seen."""

    def __init__(self, clock=time.monotonic):
        self._clock = clock
        self._away_until = {}

    def note(self, key, code=""):
        """Take in how a call ended: the code of its error, empty for an answer."""
        if code in _AWAY_CODES:
            self._away_until[key] = self._clock() + AWAY_S
        elif not code:
            self._away_until.pop(key, None)

    def is_open(self, key):
        """Return whether mtd was away within the last half minute, and hasn't answered since."""
        return self._away_until.get(key, 0.0) > self._clock()

    def is_doubtful(self, key):
        """Return whether mtd was away before that, and hasn't answered since."""
        return key in self._away_until and not self.is_open(key)


class Line:
    """A way to one mtd for calls of the same deadline. Using it needs no database, so no transaction stays open."""

    def __init__(self, key, client):
        self._key = key
        self.client = client

    def ask(self, fn, is_small=True):
        """Return what a function of the client returns. Raises MtdClientError.

        ``is_small``: an answer that comes too late means that mtd is away, and not that much was asked.
        """
        from mtd.client import MtdClientError

        try:
            answer = fn(self.client)
        except MtdClientError as error:
            if is_small or error.code != LATE:
                self.failed(error)
            raise
        BREAKER.note(self._key)
        return answer

    def failed(self, error):
        """Note an error that mtd, or the way to it, gave."""
        BREAKER.note(self._key, error.code)


CLIENTS = Clients()
BREAKER = Breaker()
VERIFIED = {}
"""By connection: what was shown to mtd when it said whose tenant that is."""
