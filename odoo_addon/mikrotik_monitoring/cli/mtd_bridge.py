import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from contextlib import closing
from pathlib import Path

import odoo
from odoo.cli import Command

_logger = logging.getLogger(__name__)

WAITS_S = 5.0
CONNECTS_WITHIN_S = 5

ABOUT = """\
Brings live values, events and the output of tools from mtd to Odoo's browsers.

It runs beside Odoo, as one process for each database, as the same user and with the same odoo.conf. A second one
stands by, and takes over when the first ends. It needs no port. It survives restarts of Odoo, mtd and PostgreSQL.
"""
EXAMPLES = """\
examples:
  odoo-bin --addons-path=/opt/odoo/addons,/opt/addons mtd_bridge -c /etc/odoo/odoo.conf -d production --check
  odoo-bin --addons-path=/opt/odoo/addons,/opt/addons mtd_bridge -c /etc/odoo/odoo.conf -d production --http-port 9108

--addons-path comes before the command: by it Odoo finds the command. Further options go to Odoo, such as
--log-level=debug. It ends with 75 after an upgrade of the addon: have it started again, as etc/systemd does.
"""


class MtdBridge(Command):
    """Bring live values from mtd to Odoo."""

    name = "mtd_bridge"

    def run(self, args):
        """Run the bridge until it is told to end."""
        options, rest = _parse(args)
        os.environ.setdefault("ODOO_PGAPPNAME", "mtd_bridge-{pid}")
        odoo.tools.config.parse_config(
            [
                *(["-c", options.config] if options.config else []),
                *(["-d", options.database] if options.database else []),
                *rest,
            ]
        )
        database = _database()
        code = _check(database) if options.check else _work(database, options)
        logging.shutdown()
        sys.stdout.flush()
        # Threads that hang in a dead database would hold the process up.
        os._exit(code)


def _parse(args):
    parser = argparse.ArgumentParser(
        "odoo-bin mtd_bridge",
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "--config", help="the configuration file of Odoo")
    parser.add_argument(
        "-d", "--database", help="the database; that of the configuration if it names one only"
    )
    parser.add_argument("--health-file", type=Path, help="where to tell each 2 s how it goes, as JSON")
    parser.add_argument(
        "--http-port",
        type=int,
        help="port of 127.0.0.1 for /healthz and /metrics (Prometheus); 0 takes a free one",
    )
    parser.add_argument("--check", action="store_true", help="say what is missing, and end: 0 if nothing is")
    return parser.parse_known_args(args)


def _database():
    names = [name.strip() for name in (odoo.tools.config["db_name"] or "").split(",") if name.strip()]
    if len(names) != 1:
        sys.exit("Name one database, with -d: there is a bridge for each.")
    return names[0]


def _client(options):
    from mtd.client import AsyncMtdClient

    return AsyncMtdClient(**options)


def _work(database, options):
    from ..bridge.odoo_store import OdooStore, connection_arguments
    from ..bridge.service import Bridge
    from ..bridge.writer import WriterLock

    _wait_until_installed(database)

    store = OdooStore(database)

    def make_lock(**callbacks):
        store.writer = WriterLock(connection_arguments(database), **callbacks)
        return store.writer

    async def run():
        bridge = Bridge(
            store,
            make_lock,
            make_client=_client,
            health_file=options.health_file,
            http_port=options.http_port,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, bridge.stop)
        return await bridge.run()

    try:
        return asyncio.run(run())
    except OSError as error:
        if options.http_port is None:
            raise
        return _say(False, f"port {options.http_port} of 127.0.0.1 can't be had: {error}")


def _wait_until_installed(database):
    """Wait for the database, and for the addon in it."""
    told = ""
    while missing := _missing(database):
        if missing != told:
            _logger.warning("the bridge waits: %s", missing)
            told = missing
        threading.Event().wait(WAITS_S)


def _check(database):
    """Say what is missing. Returns the exit code."""
    from ..bridge.check import check_connections
    from ..bridge.odoo_store import OdooStore

    if missing := _missing(database):
        return _say(False, missing)
    _say(True, f"database {database} has the addon")
    found = asyncio.run(check_connections(OdooStore(database).connections(), _client))
    return max(_say(ok, text) for ok, text in found)


def _missing(database):
    """Return what the database lacks, in words; empty if nothing."""
    import psycopg2

    from ..bridge.odoo_store import ADDON, connection_arguments

    try:
        arguments = {**connection_arguments(database), "connect_timeout": CONNECTS_WITHIN_S}
        with closing(psycopg2.connect(**arguments)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('ir_module_module') IS NOT NULL")
            if not cursor.fetchone()[0]:
                return f"database {database} isn't one of Odoo"
            cursor.execute("SELECT 1 FROM ir_module_module WHERE name = %s AND state = 'installed'", [ADDON])
            if not cursor.fetchone():
                return f"{ADDON} isn't installed in database {database}: install it in Apps"
    except psycopg2.OperationalError as error:
        return f"database {database} can't be reached: {str(error).strip()}"
    return ""


def _say(ok, text):
    sys.stdout.write(f"{'ok     ' if ok else 'MISSING'}  {text}\n")
    return 0 if ok else 1
