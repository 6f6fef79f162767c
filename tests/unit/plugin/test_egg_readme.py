from __future__ import annotations

from dataclasses import replace

from mtd.testing.egg_readme import readme_problems
from tests.unit.plugin.conftest import PORTS, PORTS_EGG, SPEEDS, TABLE

EGG = replace(PORTS_EGG, menus=(PORTS, TABLE, SPEEDS))
README = """
| menu | tier | becomes | cost |
| `/port` | T0; of many the rest T1 | numbers, event `port.changed` | rows |
| `/port` | T1 | table `port`; event `port.renamed`, `port.added`, `port.gone` | rows |
| `/port/monitor` | T1 | speed | rows |

Policies `api` and `read`.
"""


def test_a_readme_that_says_all_has_no_problems() -> None:
    missing = readme_problems(EGG, README)
    events = {one for one in missing if one.startswith("the event")}
    assert set(missing) == events
    assert readme_problems(EGG, README + " ".join(sorted(events))) == []


def test_what_it_lacks_is_named() -> None:
    assert "a row of the table of menus that begins | `/port/monitor` | T1 |" in readme_problems(
        EGG, README.replace("`/port/monitor` | T1", "`/port/monitor` | T2")
    )
    assert "the right `api`" in readme_problems(EGG, README.replace("`api`", "api"))
    assert "the table or document `port`" in readme_problems(EGG, README.replace("table `port`", "table"))
    assert "the event `port.changed`" in readme_problems(EGG, README.replace("`port.changed`", ""))
