"""What the daemon would refuse at its start although the configuration reads well. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator

from mtd.api.login.oidc.files import read_oidc_files
from mtd.api.tls.config import DoorTls, GrpcTls
from mtd.api.tls.material import FilesSource
from mtd.app.config import Settings
from mtd.app.secrets import KEY_VARIABLE, master_keys
from mtd.core.config import ConfigProblem
from mtd.core.errors import Misconfigured
from mtd.storage.dsn import parse_dsn


def problems_of(settings: Settings) -> list[ConfigProblem]:
    """Return what is wrong with the files and the connection string that the settings name."""
    return [*_data_dir(settings), *_master_key(settings), *_tls(settings), *_oidc(settings), *_dsn(settings)]


def _data_dir(settings: Settings) -> Iterator[ConfigProblem]:
    folder = settings.daemon.data_dir
    if not folder.exists():
        return  # made at the start
    if not folder.is_dir():
        yield ConfigProblem(str(folder), "daemon.data_dir", "is not a folder: give another one")
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield ConfigProblem(
            str(folder),
            "daemon.data_dir",
            "can't be read and written by this user: change its owner, or give another folder",
        )


def _master_key(settings: Settings) -> Iterator[ConfigProblem]:
    path = settings.master_key_path
    try:
        if KEY_VARIABLE in os.environ or path.exists():  # else it is made at the first start
            master_keys(settings, may_make=False)
    except Misconfigured as unusable:
        yield ConfigProblem(str(path), "security.master_key_file", str(unusable))
    except OSError as error:
        yield ConfigProblem(
            str(path), "security.master_key_file", f"can't be read ({error.strerror}): run mtd as its owner"
        )


def _tls(settings: Settings) -> Iterator[ConfigProblem]:
    doors: dict[str, DoorTls] = {"grpc": settings.grpc.tls, "http": settings.http.tls}
    for door, tls in doors.items():
        if tls.certificate_file is None or tls.key_file is None:
            continue
        more = tls.client_ca_file if isinstance(tls, GrpcTls) else None
        try:
            FilesSource(tls.certificate_file, tls.key_file, more_authorities=more).read()
        except Misconfigured as unusable:
            yield ConfigProblem(str(tls.certificate_file), f"{door}.tls", str(unusable))


def _oidc(settings: Settings) -> Iterator[ConfigProblem]:
    try:
        read_oidc_files(settings.oidc)
    except Misconfigured as unusable:
        yield ConfigProblem("configuration", "oidc", str(unusable))


def _dsn(settings: Settings) -> Iterator[ConfigProblem]:
    database = settings.database
    for name, dsn, file in (
        ("dsn", database.read_dsn(), database.dsn_file),
        ("door_dsn", database.read_door_dsn(), database.door_dsn_file),
    ):
        try:
            parse_dsn(dsn)
        except Misconfigured as wrong:
            yield ConfigProblem(
                str(file or "configuration"), "", str(wrong).replace("database.dsn", f"database.{name}")
            )
