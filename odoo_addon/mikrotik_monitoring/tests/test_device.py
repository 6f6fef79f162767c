import dataclasses

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests.common import Form, tagged
from odoo.tools import mute_logger
from psycopg2 import IntegrityError

from .common import SEEN, MtdCase, failure


@tagged("post_install", "-at_install")
class TestDevice(MtdCase):
    def test_form_makes_a_device(self):
        noc = self._set()
        with Form(self.env["mikrotik.device"]) as form:
            form.name, form.host, form.credential_set_id = "core-7", "192.0.2.7", noc
        self.assertEqual(form.save().sync_state, "pending")

    def test_form_loads_for_a_viewer(self):
        device = self._device()
        viewer = self._user("form-viewer", "viewer")
        arch = device.with_user(viewer).get_view(view_type="form")["arch"]
        for widget in ("mikrotik_live", "mikrotik_interfaces", "mikrotik_health"):
            self.assertIn(f'widget name="{widget}"', arch)
        self.assertNotIn("credential_set_id", arch)
        self.assertNotIn("action_poll_now", arch)

    def test_hosts(self):
        for host in ("192.0.2.1", "2001:db8::1", "fe80::1%eth0", "core-1.example.net", "router_1"):
            self._new_device(name=host, host=host)
        for host in ("a b", "http://a", "a/b", " a", "user@a"):
            with self.assertRaises(ValidationError), self.env.cr.savepoint():
                self._new_device(name="bad", host=host)

    def test_limits(self):
        device = self._new_device()
        for values in ({"port": -1}, {"port": 65536}, {"rest_port": 65536}, {"connect_timeout_s": -1}):
            with self.assertRaises(IntegrityError), self.env.cr.savepoint(), mute_logger("odoo.sql_db"):
                device.write(values)
                self.env.flush_all()

    def test_what_belongs_together(self):
        device = self._new_device()
        for values in (
            {"tls_mode": "pinned"},
            {"tls_fingerprint": "abc"},
            {"method": "rest"},
            {"method": "snmp"},
            {"snmp_version": "3"},
            {"snmp_version": "3", "snmp_username": "u", "snmp_priv": "aes"},
            {"name": " core"},
        ):
            with self.assertRaises(ValidationError), self.env.cr.savepoint():
                device.write(values)

    def test_name_is_unique_in_its_company(self):
        self._new_device()
        with self.assertRaises(IntegrityError), self.env.cr.savepoint(), mute_logger("odoo.sql_db"):
            self._new_device()
            self.env.flush_all()
        other = self.env["mikrotik.credential.set"].create(
            {"name": "noc", "password": "p", "company_id": self.other_company.id}
        )
        self._new_device(company_id=self.other_company.id, credential_set_id=other.id)

    def test_second_device_at_the_same_address_is_warned_of(self):
        self._new_device()
        form = Form(self.env["mikrotik.device"])
        with self.assertLogs("odoo.tests.form.onchange", "WARNING") as logs:
            form.host = "192.0.2.1"
        self.assertIn("core-1 has the same host and port", str(logs.output))

    def test_company_of_what_it_refers_to(self):
        site = self.env["mikrotik.site"].create({"name": "far", "company_id": self.other_company.id})
        with self.assertRaisesRegex(UserError, "company"):
            self._new_device(site_id=site.id)

    def test_company_is_fixed_once_mtd_knows_it(self):
        device = self._device()
        with self.assertRaisesRegex(UserError, "stays with its company"):
            device.company_id = self.other_company

    def test_copy_is_another_device(self):
        device = self._device()
        copy = device.copy()
        self.assertEqual((copy.name, copy.mtd_id, copy.status), ("core-1 (copy)", False, "unknown"))

    def test_what_mtd_owns_is_not_written_by_users(self):
        device = self._device()
        admin = self._user("device-admin", "admin")
        for values in ({"mtd_id": "x"}, {"status": "up"}, {"sync_state": "synced"}, {"remote_values": {}}):
            with self.assertRaisesRegex(UserError, "come from mtd"):
                device.with_user(admin).with_context(mtd_pulled=True).write(values)
        made = (
            self.env["mikrotik.device"]
            .with_user(admin)
            .with_context(mtd_pulled=True, default_mtd_id="x", default_status="up")
            .create({"name": "n", "host": "h"})
        )
        self.assertEqual((made.mtd_id, made.status, made.sync_state), (False, "unknown", "pending"))

    def test_last_seen_is_asked_once_for_all(self):
        devices = self._device() | self._device(name="core-2", host="192.0.2.2")
        self.mtd.calls.clear()
        devices.invalidate_recordset()
        self.assertEqual(devices.mapped("last_seen_at"), [SEEN.replace(tzinfo=None, microsecond=0)] * 2)
        self.assertEqual(len(self.mtd.called("query_latest")), 1)

    def test_last_seen_falls_back_to_what_is_known(self):
        device = self._device()
        known = device.last_seen_stored_at
        self.assertTrue(known)
        device.invalidate_recordset()
        self.mtd.error = failure("UNAVAILABLE")
        self.assertEqual(device.last_seen_at, known)
        self.mtd.calls.clear()
        device.invalidate_recordset()
        self.assertEqual(device.last_seen_at, known)
        self.assertFalse(self.mtd.calls, "nobody waits for an mtd that is away")

    def test_links_to_the_router(self):
        device = self._device(host="2001:db8::1")
        self.assertEqual(device.action_open_webfig()["url"], "http://[2001:db8::1]/webfig/")
        self.assertEqual(device.action_open_ssh()["url"], "ssh://monitor@[2001:db8::1]")
        self.assertEqual(device.action_open_winbox()["url"], "winbox://[2001:db8::1]")
        device.tls_mode = "insecure"
        self.assertTrue(device.action_open_webfig()["url"].startswith("https://"))

    def test_actions_are_for_administrators(self):
        device = self._device().with_user(self._user("action-viewer", "viewer"))
        self.assertTrue(device.action_open_ssh()["url"])
        for action in (
            "action_test_connection",
            "action_refresh_capabilities",
            "action_poll_now",
            "action_diagnostics",
            "action_push",
            "action_keep_odoo",
            "action_take_mtd",
            "action_create_again",
            "action_archive_missing",
        ):
            with self.assertRaises(AccessError, msg=action):
                getattr(device, action)()

    def test_actions_of_another_company(self):
        device = self._device().with_user(self._user("other-admin", "admin", self.other_company))
        for action in ("action_test_connection", "action_open_ssh", "action_poll_now", "action_push"):
            with self.assertRaises(AccessError, msg=action):
                getattr(device, action)()

    def test_poll_now_tells_of_each_that_failed(self):
        admin = self._user("poll-admin", "admin")
        devices = (self._device() | self._device(name="core-2", host="192.0.2.2")).with_user(admin)
        mtd_id = devices[0].mtd_id
        self.mtd.devices[mtd_id] = dataclasses.replace(self.mtd.devices[mtd_id], status="degraded")
        self.assertEqual(devices.action_poll_now()["params"]["type"], "success")
        self.assertEqual(devices[0].status, "degraded")
        self.assertEqual(len(self.mtd.called("PollDevice")), 2)
        self.mtd.error = failure("RESOURCE_EXHAUSTED", "a moment ago")
        told = devices.action_poll_now()["params"]
        self.assertEqual(told["type"], "warning")
        self.assertIn("core-2: mtd: a moment ago", told["message"])

    def test_not_too_many_at_once(self):
        devices = self.env["mikrotik.device"].create(
            [{"name": f"d{number}", "host": "h", "credential_set_id": False} for number in range(21)]
        )
        with self.assertRaisesRegex(UserError, "at most 20"):
            devices.action_poll_now()

    def test_refresh_capabilities(self):
        device = self._device()
        self.assertEqual(
            {one.name: (one.present, one.value, one.detail) for one in device.capability_ids},
            {
                "bgp": (True, "3", False),
                "health": (True, "1", False),
                "lte": (False, False, "no such command"),
            },
        )
        remote = self.mtd.devices[device.mtd_id]
        self.mtd.devices[device.mtd_id] = dataclasses.replace(remote, capabilities={"bgp": "4"})
        device.action_refresh_capabilities()
        self.assertEqual({one.name: one.value for one in device.capability_ids}, {"bgp": "4", "lte": False})

    def test_connection_test_shows_its_steps(self):
        admin = self._user("test-admin", "admin")
        device = self._new_device(tls_mode="insecure")
        action = device.with_user(admin).action_test_connection()
        self.assertTrue(device.mtd_id, "mtd gets to know it first")
        test = self.env["mikrotik.connection.test"].with_user(admin).browse(action["res_id"])
        self.assertEqual((test.outcome, test.identity, test.routeros_version), ("ok", "lab", "7.16.2"))
        self.assertEqual(
            [(one.step, one.result, one.duration_ms) for one in test.step_ids],
            [("connect", "Passed", 0.9), ("login", "Passed", 3.1)],
        )
        self.assertTrue(test.can_pin)
        test.action_pin()
        self.assertEqual((device.tls_mode, device.tls_fingerprint), ("pinned", "ab" * 32))
        test.invalidate_recordset()
        self.assertFalse(test.can_pin)

    def test_connection_test_of_several(self):
        devices = self._device() | self._device(name="core-2", host="192.0.2.2")
        action = devices.action_test_connection()
        tests = self.env["mikrotik.connection.test"].search(action["domain"])
        self.assertEqual(tests.device_id, devices)

    def test_connection_test_that_mtd_cannot_do(self):
        device = self._device()
        self.mtd.error = failure("PERMISSION_DENIED", "the token may not")
        test = self.env["mikrotik.connection.test"].browse(device.action_test_connection()["res_id"])
        self.assertEqual(test.outcome, "unknown")
        self.assertIn("the token may not", test.reason)

    def test_banners_know_what_is_missing(self):
        device = self._device()
        self.assertEqual((device.connection_missing, device.bridge_is_late), (False, True))
        self.env.cr.execute("UPDATE mikrotik_connection SET bridge_seen_at = now() AT TIME ZONE 'UTC'")
        self.env.invalidate_all()
        self.assertFalse(device.bridge_is_late)
        self.connection.action_forget_secrets()
        device.invalidate_recordset()
        self.assertTrue(device.connection_missing)
