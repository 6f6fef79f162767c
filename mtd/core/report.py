"""Logs of the process: one line per record, as text or as JSON."""

from __future__ import annotations

import datetime
import functools
import json
import logging
import sys
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mtd.core import log_fields

_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


ENVIRONMENT = {"LOG_LEVEL": "log.level"}
"""A name that the environment may have, as other programs' configurations do, and which setting it is."""


def _lower(level: object) -> object:
    return level.lower() if isinstance(level, str) else level


class LogConfig(BaseModel):
    """What the process writes about itself."""

    model_config = ConfigDict(extra="forbid")

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        default="info", description="Lowest level that is written."
    )
    format: Literal["text", "json"] = Field(
        default="text", description="One line per record: text for people, json for machines."
    )


class JsonFormatter(logging.Formatter):
    """A record as one JSON object.

    Beside the message stand the fields of whoever writes (`mtd.core.log_fields`), and those given by ``extra=``.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        entry: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        # A record is written where it is made, so these are of the task, or the thread, that made it.
        entry |= log_fields.fields(record.name)
        entry |= {key: value for key, value in record.__dict__.items() if key not in _PLAIN}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


class TwistdHandler(logging.Handler):
    """Hands records to Twisted's log, which twistd writes where its operator asked for."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on, with its level and its name."""
        from twisted.logger import Logger, LogLevel

        level = {"warning": "warn"}.get(record.levelname.lower(), record.levelname.lower())
        try:
            # As a value, not as the format: a message may hold braces.
            Logger(record.name).emit(LogLevel.lookupByName(level), "{text}", text=self.format(record))
        except Exception:
            self.handleError(record)


def configure_logging(settings: LogConfig) -> None:
    """Send everything, Twisted's log included, to standard error; under twistd, to its log.

    May be called again with other settings.
    """
    from twisted.logger import LoggingFile

    # twistd has put its log in the place of standard error: sent there and back, a line would go round for ever.
    under_twistd = isinstance(sys.stderr, LoggingFile)
    handler = TwistdHandler() if under_twistd else logging.StreamHandler(sys.stderr)
    text = "%(message)s" if under_twistd else "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    handler.setFormatter(JsonFormatter() if settings.format == "json" else logging.Formatter(text))
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)
    # Twisted reports factories starting and stopping at info: noise with a thousand sessions.
    logging.getLogger("twisted").setLevel(logging.WARNING)
    if not under_twistd:
        _follow_twisted()


@functools.cache
def _follow_twisted() -> None:
    """Pass Twisted's log on to Python's, once per process: a second observer would write each line twice."""
    from twisted.logger import STDLibLogObserver, globalLogBeginner

    # Begun, or Twisted would keep what it logs in memory, and print what is critical by itself.
    globalLogBeginner.beginLoggingTo([STDLibLogObserver()], redirectStandardIO=False)
