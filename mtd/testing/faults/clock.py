"""A clock for the processes of a fleet, and for nobody else: wall time is moved, the monotonic clock is not.

As when somebody sets a machine's clock, or NTP steps it. A library that is loaded before all others answers for the
four calls that tell wall time; the offset is in a file that all processes of the fleet have mapped, PostgreSQL too.
libfaketime does more than this, and its waits on the monotonic clock return at once or fail.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset_s;

__attribute__((constructor)) static void open_offset(void) {
    const char *path = getenv("MTD_FAULTS_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(0, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) offset_s = mapped;
}

static int is_wall(clockid_t id) {
    return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, id, now);
    if (result == 0 && offset_s && is_wall(id)) now->tv_sec += *offset_s;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec at;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &at) != 0) return -1;
    now->tv_sec = at.tv_sec;
    now->tv_usec = at.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *into) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (into) *into = at.tv_sec;
    return at.tv_sec;
}

int timespec_get(struct timespec *at, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, at) == 0 ? base : 0;
}
"""


def may_fake() -> bool:
    """Return whether there is a C compiler, which such a clock is made with."""
    return shutil.which("cc") is not None


class FakeClock:
    """The clock of the processes that are started with its ``environment``."""

    def __init__(self, folder: Path) -> None:
        self._library = folder / "clock.so"
        self._path = folder / "clock"
        self.offset_s = 0
        source = folder / "clock.c"
        source.write_text(_SOURCE)
        command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(self._library), str(source)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603 - our own words
        self._path.write_bytes(struct.pack("=q", 0))
        self._path.chmod(0o644)

    def step(self, by_s: int) -> None:
        """Set it forward, or back."""
        self.offset_s += by_s
        # In place: the file is mapped.
        with self._path.open("r+b") as file:
            file.write(struct.pack("=q", self.offset_s))

    @property
    def environment(self) -> dict[str, str]:
        """What the daemon, and so its PostgreSQL, is started with."""
        return {"LD_PRELOAD": str(self._library), "MTD_FAULTS_CLOCK": str(self._path)}
