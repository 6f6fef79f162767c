"""Log lines as devices send them: syslog of all kinds, and what RouterOS makes of it."""

from mtd.codec.syslog.framing import Framer
from mtd.codec.syslog.line import Form, Line, read_line
from mtd.codec.syslog.topics import Severity

__all__ = ["Form", "Framer", "Line", "Severity", "read_line"]
