"""Large blocks have pages of their own, which go back when they are freed: tried in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys
from mtd.core.memory import SmallHeap

class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

libc = ctypes.CDLL("libc.so.6")
libc.mallinfo2.restype = Mallinfo

def churn():
    kept = []
    for size in range(1, 200):
        large = bytes(size * 20_000)
        kept.append(bytes(1000))  # lies behind it, and lasts
        del large
    return kept

heap = SmallHeap()
done = heap.begin()
kept = churn() + churn()
small = libc.mallinfo2().fordblks < 2_000_000

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

blocks = [bytes(12_000) for _ in range(4000)]
for place in range(0, 4000, 2):
    blocks[place] = None
before = resident()
heap.trim()
print(done, small, before - resident() > 10_000_000)
"""


def run(**environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has this")
def test_what_is_freed_goes_back() -> None:
    assert run() == "True True True"


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has this")
def test_who_has_set_it_otherwise_is_left_alone() -> None:
    done, _, trimmed = run(MALLOC_TRIM_THRESHOLD_="100000000").split()
    assert (done, trimmed) == ("False", "False")


PAGES = """
import numpy as np
from mtd.core.memory import SmallHeap
from mtd.model.values import counters

def lone_pages():
    found = 0
    for line in open("/proc/self/maps"):
        fields = line.split()
        begin, end = (int(place, 16) for place in fields[0].split("-"))
        found += len(fields) == 5 and end - begin == 4096
    return found

SmallHeap().begin()
before = lone_pages()
kept = {}
for number in range(20_000):
    place = number % 1000
    kept[place] = counters([b"1234567"] * (place % 40 + 1)), np.zeros(place % 60 + 1, np.int64)
print(lone_pages() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has this")
def test_numbers_that_are_kept_have_no_page_each() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PAGES], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(done.stdout) < 100
