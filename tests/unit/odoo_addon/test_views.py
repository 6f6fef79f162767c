"""Views, actions and menus name what is there: what Odoo would refuse is found without it."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.unit.odoo_addon.declared import Models
from tests.unit.odoo_addon.id_rules import defined_in, faults_of_ids, used_in_python
from tests.unit.odoo_addon.parts import ADDON
from tests.unit.odoo_addon.view_rules import Known, faults_of_view

FOREIGN = frozenset(
    {"base.group_user", "base.group_system", "base.group_multi_company", "base.user_root", "base.user_admin"}
)
FOREIGN_WIDGETS = frozenset({"web_ribbon"})
SOURCES = [
    path
    for path in ADDON.rglob("*.py")
    if path.relative_to(ADDON).parts[0] in ("models", "wizard", "controllers", "bridge", "gateway")
]


def data() -> dict[str, str]:
    """Return the files of the manifest, in its order."""
    manifest = ast.literal_eval((ADDON / "__manifest__.py").read_text())
    return {name: (ADDON / name).read_text() for name in manifest["data"]}


def test_who_is_told_how_to_make_a_token_gets_one_of_a_tenant_that_may_no_more_than_needed() -> None:
    told = [text for text in data().values() if "mtd token add" in text]
    assert told
    for text in told:
        for command in re.findall(r"mtd token add[^<]*", text):
            assert "--tenant" in command
            assert "--out" in command
            assert "*" not in command


def registered() -> frozenset[str]:
    """Return what scripts add to registries."""
    scripts = (path.read_text() for path in (ADDON / "static/src/odoo").rglob("*.js"))
    return frozenset(name for text in scripts for name in re.findall(r'\.add\(\s*"(\w+)"', text))


MODELS = Models(path.read_text() for path in SOURCES)
KNOWN = Known(MODELS, registered() | FOREIGN_WIDGETS)


def records(text: str, model: str) -> Iterator[ElementTree.Element]:
    return (one for one in ElementTree.fromstring(text).iter("record") if one.attrib["model"] == model)


def model_ids(models: Models) -> set[str]:
    """Return the ids that Odoo gives to models before it reads data."""
    return {f"mikrotik_monitoring.model_{name.replace('.', '_')}" for name in models}


def faults_of_actions(text: str, models: Models) -> list[str]:
    """Return actions that open a model which isn't there."""
    opened = [
        (one.attrib["id"], field.text or "")
        for one in records(text, "ir.actions.act_window")
        for field in one.iter("field")
        if field.attrib["name"] == "res_model"
    ]
    return [f"{action}: no model {model}" for action, model in opened if model not in models]


def faults_of(text: str, known: Known) -> list[str]:
    views = records(text, "ir.ui.view")
    return [f"{one.attrib['id']}: {fault}" for one in views for fault in faults_of_view(one, known)]


# -- the addon ---------------------------------------------------------------------


def test_the_models_are_read_as_they_are() -> None:
    """Fields of a mixin, of an extension in another file, and of Odoo itself."""
    device = MODELS.fields("mikrotik.device")
    assert {"sync_state", "host", "create_date", "display_name", "status"} <= device.keys()
    assert (device["site_id"], device["capability_ids"]) == ("mikrotik.site", "mikrotik.device.capability")
    assert {"action_push", "live_watch", "action_poll_now"} <= MODELS.methods("mikrotik.device")
    assert {"device_id", "value", "value_min"} <= MODELS.fields("mikrotik.metric.point").keys()
    assert "create_date" not in MODELS.fields("mikrotik.metric.point")


@pytest.mark.parametrize("name", [name for name in data() if name.startswith("views/")])
def test_views_name_what_is_there(name: str) -> None:
    text = (ADDON / name).read_text()
    assert faults_of(text, KNOWN) == []
    assert faults_of_actions(text, MODELS) == []


def test_every_id_is_defined_before_it_is_used() -> None:
    assert faults_of_ids(data(), FOREIGN | model_ids(MODELS)) == []


def test_ids_that_code_names_are_defined() -> None:
    used = set().union(*(used_in_python(path.read_text()) for path in SOURCES))
    assert "mikrotik_monitoring.group_subscriber_data" in used
    assert used - defined_in(data()) == set()


@pytest.mark.skipif("ODOO_PATH" not in os.environ, reason="ODOO_PATH names no Odoo 17")
def test_ids_of_odoo_are_odoos() -> None:
    folder = Path(os.environ["ODOO_PATH"]) / "odoo/addons/base"
    texts = [path.read_text() for part in ("data", "security") for path in (folder / part).glob("*.xml")]
    for one in FOREIGN:
        name = one.removeprefix("base.")
        assert any(re.search(rf'<record\b[^>]*\bid="(base\.)?{name}"', text) for text in texts), one


# -- the rules: each finds what is planted -------------------------------------------

PYTHON = """
class Mixin(models.AbstractModel):
    _name = "x.mixin"
    state = fields.Char()
    def action_push(self):
        pass

class Device(models.Model):
    _name = "x.device"
    _inherit = "x.mixin"
    name = fields.Char()
    line_ids = fields.One2many("x.line", "device_id")
    def _hidden(self):
        pass

class Line(models.Model):
    _name = "x.line"
    _log_access = False
    text = fields.Char()
"""
VIEW = """<odoo>
  <record id="view_device" model="ir.ui.view">
    <field name="model">x.device</field>
    <field name="arch" type="xml">
      <form js_class="x_form">
        <button name="action_push" type="object" groups="group_admin" invisible="state == 'new'"/>
        <label for="name"/>
        <field name="name"/><field name="state"/><field name="create_date"/>
        <field name="line_ids"><tree decoration-muted="not text"><field name="text"/></tree></field>
        <widget name="x_live"/>
      </form>
    </field>
  </record>
  <record id="view_device_search" model="ir.ui.view">
    <field name="model">x.device</field>
    <field name="arch" type="xml">
      <search>
        <field name="name" filter_domain="[('name', 'ilike', self)]"/>
        <filter name="new" domain="[('state', '=', 'new')]"/>
        <filter name="by" context="{'group_by': 'create_date:day'}"/>
      </search>
    </field>
  </record>
  <record id="view_device_kanban" model="ir.ui.view">
    <field name="model">x.device</field>
    <field name="arch" type="xml">
      <kanban default_order="name desc"><field name="name"/><div t-if="record.name.raw_value"/></kanban>
    </field>
  </record>
  <record id="action_device" model="ir.actions.act_window"><field name="res_model">x.device</field></record>
  <menuitem id="menu_device" parent="menu_root" action="action_device"/>
</odoo>"""
SAMPLE = Models([PYTHON])
SAMPLE_KNOWN = Known(SAMPLE, frozenset({"x_live", "x_form"}))
PLANTED = [
    ('<field name="state"/>', '<field name="state"/><field name="stat"/>', "no field stat in x.device"),
    ('<field name="text"/>', '<field name="text"/><field name="name"/>', "no field name in x.line"),
    (
        '<field name="text"/>',
        '<field name="text"/><field name="create_uid"/>',
        "no field create_uid in x.line",
    ),
    ('label for="name"', 'label for="nameless"', "no field nameless in x.device"),
    ('"action_push"', '"action_pull"', "no method action_pull in x.device"),
    ('"action_push"', '"_hidden"', "no method _hidden in x.device"),
    ('<field name="state"/>', "", "invisible uses state, which the view doesn't have"),
    ('"not text"', '"not state"', "decoration-muted uses state, which the view doesn't have"),
    ("state == 'new'", "state = 'new'", "invisible uses state = 'new', which the view doesn't have"),
    ("record.name.", "record.state.", "t-if uses state, which the view doesn't have"),
    ("('state', '='", "('stat', '='", "no field stat in x.device"),
    ("('name', 'ilike'", "('nameless', 'ilike'", "no field nameless in x.device"),
    ("'create_date:day'", "'made:day'", "no field made in x.device"),
    ('"name desc"', '"nameless desc"', "no field nameless in x.device"),
    ('widget name="x_live"', 'widget name="x_dead"', "no widget x_dead"),
    ('js_class="x_form"', 'js_class="x_page"', "no kind of view x_page"),
    ('<field name="model">x.device', '<field name="model">x.router', "no model x.router"),
]


def test_a_good_view_has_no_faults() -> None:
    assert faults_of(VIEW, SAMPLE_KNOWN) == []
    assert faults_of_actions(VIEW, SAMPLE) == []


@pytest.mark.parametrize(("good", "bad", "fault"), PLANTED, ids=[fault for *_, fault in PLANTED])
def test_what_is_planted_in_a_view_is_found(good: str, bad: str, fault: str) -> None:
    assert good in VIEW
    assert fault in {one.partition(": ")[2] for one in faults_of(VIEW.replace(good, bad, 1), SAMPLE_KNOWN)}


def test_an_action_on_no_model_is_found() -> None:
    wrong = VIEW.replace('"res_model">x.device', '"res_model">x.router')
    assert faults_of_actions(wrong, SAMPLE) == ["action_device: no model x.router"]


GROUPS = '<odoo><record id="group_admin" model="res.groups"/><menuitem id="menu_root"/></odoo>'
RIGHTS = "id,name,model_id:id,group_id:id\naccess_x,x,model_x_device,group_admin\n"
FILES = {"groups.xml": GROUPS, "rights.csv": RIGHTS, "views.xml": VIEW}
IDS = [
    (
        {"views.xml": VIEW.replace('groups="group_admin"', 'groups="group_boss"')},
        "views.xml: no {}group_boss yet",
    ),
    ({"views.xml": VIEW.replace('parent="menu_root"', 'parent="menu_top"')}, "views.xml: no {}menu_top yet"),
    (
        {"views.xml": VIEW.replace('action="action_device"', 'action="action_x"')},
        "views.xml: no {}action_x yet",
    ),
    ({"rights.csv": RIGHTS.replace("model_x_device", "model_x")}, "rights.csv: no {}model_x yet"),
    ({"groups.xml": GROUPS.replace("menu_root", "menu_other")}, "views.xml: no {}menu_root yet"),
    (
        {
            "groups.xml": GROUPS.replace(
                '"res.groups"/>', '"res.groups"><field eval="[ref(\'gone\')]"/></record>'
            )
        },
        "groups.xml: no {}gone yet",
    ),
]


def test_good_files_have_no_faults() -> None:
    assert faults_of_ids(FILES, model_ids(SAMPLE)) == []
    assert defined_in(FILES) >= {"mikrotik_monitoring.access_x", "mikrotik_monitoring.menu_device"}


@pytest.mark.parametrize(("changed", "fault"), IDS, ids=[fault for _, fault in IDS])
def test_an_id_that_is_not_there_is_found(changed: dict[str, str], fault: str) -> None:
    assert faults_of_ids(FILES | changed, model_ids(SAMPLE)) == [fault.format("mikrotik_monitoring.")]


def test_an_id_that_comes_too_late_is_found() -> None:
    late = dict(reversed(FILES.items()))
    found = faults_of_ids(late, model_ids(SAMPLE))
    assert "views.xml: no mikrotik_monitoring.group_admin yet" in found
    assert "rights.csv: no mikrotik_monitoring.group_admin yet" in found


def test_ids_in_code_are_found() -> None:
    text = 'self._for_xml_id("mikrotik_monitoring.action_x"); channel = "mikrotik_monitoring.device.1"'
    assert used_in_python(text) == {"mikrotik_monitoring.action_x"}
