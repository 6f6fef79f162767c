"""A process that holds the lock of the writer, until somebody stops it: for test_bridge_writer."""

from __future__ import annotations

import sys
import threading

import bridge_kit as kit  # beside this file, which is run as a program

writer = kit.part("writer")


def hold(dsn: str, silent_s: str) -> None:
    """Say whenever it holds the lock, and when it doesn't any more."""
    writer.SILENT_S = float(silent_s)
    writer.CHECK_EVERY_S = writer.SILENT_S / 4

    def say(held: bool, trouble: str) -> None:
        sys.stdout.write(f"held {lock.backend}\n" if held else f"lost {trouble}\n")
        sys.stdout.flush()

    lock = writer.WriterLock({"dsn": dsn}, on_change=say, on_notify=lambda channel: None)
    lock.start()
    threading.Event().wait()


if __name__ == "__main__":
    hold(*sys.argv[1:])
