"""One PostgreSQL and one Odoo for all tests here; databases are copies of templates that are made once."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest

from mtd.testing.missing import skip_without
from mtd.testing.odoo.database import odoo_postgres
from mtd.testing.odoo.installation import ADDON, Installation, OdooMissing, find_installation
from mtd.testing.odoo.server import BASE_MODULES, TEMPLATE, Odoo
from tests.e2e.kit import folder

WITH_ADDON = "odoo_addon"
"""A database with the addon installed."""
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def installation() -> Installation:
    """The Odoo of this machine."""
    try:
        return find_installation()
    except OdooMissing as missing:
        # Odoo is no program that a machine could be expected to have: only who names one wants these tests.
        if not os.environ.get("ODOO_PATH"):
            pytest.skip(str(missing))
        skip_without(str(missing))


@pytest.fixture(scope="session")
def odoo(installation: Installation) -> Iterator[Odoo]:
    """An Odoo with a template: what a stock server has."""
    with folder() as place, odoo_postgres() as postgres:
        odoo = Odoo(place / "odoo", installation, postgres)
        odoo.install(TEMPLATE, *BASE_MODULES)
        yield odoo


@pytest.fixture(scope="session")
def addon_template(odoo: Odoo) -> str:
    """The name of a database with the addon, to be copied."""
    odoo.database(WITH_ADDON)
    odoo.install(WITH_ADDON, ADDON)
    return WITH_ADDON


@pytest.fixture(scope="module")
def new_database(odoo: Odoo) -> Iterator[Callable[[str], str]]:
    """Makes databases from a template, which end with the module."""
    made: list[str] = []

    def make(template: str = TEMPLATE) -> str:
        made.append(odoo.database(f"odoo_{next(_numbers)}", template))
        return made[-1]

    yield make
    for name in made:
        odoo.postgres.drop(name)
