"""Routers in a CSV file."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mtd.client import requests

_REQUIRED = ("name", "host", "username", "password")
_OPTIONAL = ("port", "tls_mode", "tls_fingerprint", "interface_naming", "code_page", "notes")
_LABEL = "label:"


class RowRefused(Exception):
    """A line that can't be used; the others can."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file."""

    line: int
    fields: dict[str, str]

    @property
    def name(self) -> str:
        """Return the name of the router, for messages."""
        return self.fields.get("name", "")

    def settings(self) -> dict[str, Any]:
        """Return the settings, as the client takes them. Raises RowRefused."""
        empty = [name for name in _REQUIRED[:3] if not self.fields.get(name)]
        if empty:
            raise RowRefused(f"{', '.join(empty)} must not be empty")
        found: dict[str, Any] = {
            key: value for key, value in self.fields.items() if value and not key.startswith(_LABEL)
        }
        if "port" in found:
            try:
                found["port"] = int(found["port"])
            except ValueError:
                raise RowRefused(f"port: {found['port']!r} is not a number") from None
        labels = {
            key.removeprefix(_LABEL): value
            for key, value in self.fields.items()
            if value and key.startswith(_LABEL)
        }
        return found | {"labels": labels}


def read_rows(file: Path) -> list[Row]:
    """Return the lines of a file behind its first. Raises ClickException if it isn't what it should be."""
    line = 1
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.DictReader(text, strict=True)
            columns = list(reader.fieldnames or [])
            _check_columns(file, columns)
            rows = []
            for row in reader:
                line = reader.line_num
                rows.append(Row(line, {name: row[name] or "" for name in columns}))
            return rows
    except UnicodeDecodeError as error:
        raise click.ClickException(
            f"{file} is not UTF-8 text (byte {error.start}): save it as UTF-8"
        ) from None
    except csv.Error as error:
        raise click.ClickException(f"{file}: is not CSV behind line {line}: {error}") from None
    except OSError as error:
        raise click.ClickException(f"{file} can't be read: {error.strerror}") from None


def _check_columns(file: Path, columns: list[str]) -> None:
    known = _REQUIRED + _OPTIONAL
    problems = [f"column {name!r} is missing" for name in _REQUIRED if name not in columns]
    problems += [
        f"column {name!r} is not known"
        for name in columns
        if name not in known and not name.startswith(_LABEL)
    ]
    problems += [f"column {name!r} is there twice" for name in known if columns.count(name) > 1]
    if problems:
        raise click.ClickException(f"{file}:1: {'; '.join(problems)}")


def check_settings(settings: dict[str, Any]) -> None:
    """Raise MtdClientError or RowRefused for settings that the daemon would refuse."""
    rest = dict(settings)
    call = requests.create_device(rest.pop("password", ""), rest)
    try:
        from mtd.api.grpc.convert import settings_of
        from mtd.core.errors import Refused
    except ModuleNotFoundError:
        return  # a machine with the client alone: the daemon will tell
    try:
        settings_of(call.request.settings)
    except Refused as refused:
        raise RowRefused(str(refused)) from None
