from unittest.mock import patch

from lxml import etree
from odoo import fields, models
from odoo.exceptions import AccessError
from odoo.tests.common import HttpCase, tagged

from ..gateway import secrets
from .common import MtdCase, device_of, failure


@tagged("post_install", "-at_install")
class TestAccess(MtdCase):
    def setUp(self):
        super().setUp()
        self.mine = self._device(name="mine")
        self.other_mtd.devices["x"] = device_of(id="x", name="theirs-secret-name", site="")
        self.other_connection._reconcile()
        self.theirs = self.env["mikrotik.device"].sudo().search([("mtd_id", "=", "x")])
        self.assertEqual(self.theirs.company_id, self.other_company)
        self.viewer = self._user("access-viewer", "viewer")
        self.admin = self._user("access-admin", "admin")

    def _models(self):
        return [
            model
            for name, model in sorted(self.env.items())
            if name.startswith("mikrotik.") and not model._abstract
        ]

    def test_every_model_has_access_rights(self):
        names = [model._name for model in self._models()]
        self.assertIn("mikrotik.device", names)
        for name in names:
            rights = self.env["ir.model.access"].search([("model_id.model", "=", name)])
            self.assertTrue(rights, f"{name} has no access rights")
            self.assertTrue(all(right.group_id for right in rights), f"{name} has rights for everybody")

    def test_every_model_of_a_company_has_its_rule(self):
        for model in self._models():
            rules = self.env["ir.rule"].search([("model_id.model", "=", model._name), ("groups", "=", False)])
            domains = rules.filtered(lambda rule: rule.perm_read).mapped("domain_force")
            self.assertTrue(
                any("company_id" in domain and "company_ids" in domain for domain in domains),
                f"{model._name} has no rule by company",
            )

    def test_viewers_write_nothing(self):
        for name in ("mikrotik.device", "mikrotik.site", "mikrotik.device.capability"):
            model = self.env[name].with_user(self.viewer)
            self.assertTrue(model.check_access_rights("read", raise_exception=False))
            for right in ("write", "create", "unlink"):
                self.assertFalse(model.check_access_rights(right, raise_exception=False), (name, right))

    def test_others_see_nothing(self):
        plain = self.env["res.users"].create(
            {"name": "p", "login": "plain", "groups_id": [(6, 0, self.env.ref("base.group_user").ids)]}
        )
        for model in self._models():
            self.assertFalse(
                model.with_user(plain).check_access_rights("read", raise_exception=False), model._name
            )

    def test_orm_keeps_companies_apart(self):
        for user in (self.viewer, self.admin):
            user.groups_id += self.env.ref("base.group_allow_export")
            devices = self.env["mikrotik.device"].with_user(user)
            self.assertEqual(devices.search([]), self.mine)
            self.assertEqual(devices.search_count([("name", "ilike", "theirs")]), 0)
            self.assertFalse(devices.name_search("theirs-secret"))
            groups = devices.read_group([], ["name"], ["name"])
            self.assertEqual([group["name"] for group in groups], ["mine"])
            for work in (
                lambda one: one.read(["name"]),
                lambda one: one.export_data(["name", "host"]),
                lambda one: one.action_open_ssh(),
                lambda one: one.web_read({"name": {}}),
                lambda one: one.copy(),
            ):
                with self.assertRaises(AccessError):
                    work(self.theirs.with_user(user))

    def test_capabilities_keep_companies_apart(self):
        capabilities = self.env["mikrotik.device.capability"].with_user(self.viewer).search([])
        self.assertEqual(capabilities.device_id, self.mine)
        self.assertTrue(self.theirs.capability_ids)

    def test_allowed_companies_of_the_context_are_checked(self):
        devices = self.env["mikrotik.device"].with_user(self.viewer)
        devices = devices.with_context(allowed_company_ids=[self.other_company.id])
        with self.assertRaises(AccessError):
            devices.search([])

    def test_admin_changes_nothing_of_another_company(self):
        theirs = self.theirs.with_user(self.admin)
        for work in (lambda: theirs.write({"notes": "x"}), theirs.unlink, theirs.action_push):
            with self.assertRaises(AccessError):
                work()

    def test_device_cannot_be_put_into_another_company(self):
        with self.assertRaises(AccessError):
            self.env["mikrotik.device"].with_user(self.admin).create(
                {"name": "n", "host": "h", "company_id": self.other_company.id}
            )

    def test_all_groups_are_given_in_the_form_of_a_user(self):
        arch = self.env["res.users"].get_view(self.env.ref("base.view_users_form").id, "form")["arch"]
        fields = etree.fromstring(arch).xpath("//field[contains(@name, '_group')]")
        for name in ("viewer", "subscriber_data"):
            group = self.env.ref(f"mikrotik_monitoring.group_{name}")
            found = [one for one in fields if str(group.id) in one.get("name").split("_")]
            self.assertTrue(found, group.full_name)
            hidden = ("1", "True")
            shown = [
                one
                for one in found
                if not any(part.get("invisible") in hidden for part in (one, *one.iterancestors()))
            ]
            self.assertTrue(shown, group.full_name)

    def test_methods_for_rpc_begin_with_no_underscore_on_purpose(self):
        """What can be called by RPC is a short list that somebody looked at."""
        allowed = {
            "mikrotik.connection": {
                "action_forget_secrets",
                "action_open_connection",
                "action_reconcile",
                "action_test",
            },
            "mikrotik.device.removal": {"action_push"},
            "mikrotik.credential.set": set(),
            "mikrotik.device.capability": set(),
            "mikrotik.connection.test": {"action_again", "action_pin"},
            "mikrotik.connection.test.step": set(),
        }
        common = set(dir(models.BaseModel)) | set(dir(self.env["base"])) | set(dir(self.env["res.groups"]))
        for name, expected in allowed.items():
            model = type(self.env[name])
            own = {
                one
                for one in dir(model)
                if not one.startswith("_") and one not in common and callable(getattr(model, one))
            }
            self.assertEqual({one for one in own if one not in self.env[name]._fields}, expected, name)


@tagged("post_install", "-at_install")
class TestBannerOfFailure(HttpCase, MtdCase):
    """What is shown may be old when mtd refuses, as well as when it is away."""

    def setUp(self):
        super().setUp()
        self.connection.bridge_seen_at = fields.Datetime.now()
        self.mtd.error = failure("UNAUTHENTICATED", "the token was revoked")
        self.connection._reconcile()
        self.assertEqual((self.connection.state, self.connection._is_away()), ("failed", False))

    def _html(self, groups):
        user = self._user(f"banner-{groups}", groups)
        self.env.flush_all()
        self.authenticate(user.login, user.login)
        return self.make_jsonrpc_request("/mikrotik_monitoring/banner", {}).get("html", "")

    def test_a_viewer_is_told(self):
        html = self._html("viewer")
        self.assertIn("status may be old", html)
        self.assertNotIn("revoked", html)

    def test_an_administrator_is_told_why(self):
        self.assertIn("status may be old. mtd: the token was revoked [UNAUTHENTICATED]", self._html("admin"))

    def test_what_works_has_no_banner(self):
        self.mtd.error = None
        self.connection._reconcile()
        self.assertEqual(self._html("viewer"), "")


@tagged("post_install", "-at_install")
class TestBanner(HttpCase):
    def _banner(self):
        return self.make_jsonrpc_request("/mikrotik_monitoring/banner", {})

    def test_banner_leads_to_the_connection(self):
        company = self.env.company
        self.env["mikrotik.connection"].search([("company_id", "=", company.id)]).unlink()
        self.authenticate("admin", "admin")
        self.assertIn("action_open_connection", self._banner()["html"])

    def test_banner_tells_of_files_that_cannot_be_read(self):
        connections = self.env["mikrotik.connection"]
        if not connections._of_company(self.env.company):
            connections.create({"company_id": self.env.company.id, "target": "mtd:50051"})
        self.authenticate("admin", "admin")
        with patch.object(secrets.Folder, "check", side_effect=PermissionError(13, "Permission denied")):
            self.assertIn("be read on this server", self._banner()["html"])

    def test_who_sees_no_devices_sees_no_banner(self):
        user = self.env["res.users"].create(
            {
                "name": "plain",
                "login": "plain-banner",
                "password": "plain-banner",
                "groups_id": [(6, 0, self.env.ref("base.group_user").ids)],
            }
        )
        self.authenticate(user.login, "plain-banner")
        self.assertEqual(self._banner(), {})
