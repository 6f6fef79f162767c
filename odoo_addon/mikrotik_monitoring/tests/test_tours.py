from odoo.tests.common import HttpCase, tagged

from ..models.sync import PULLED


@tagged("post_install", "-at_install")
class TestTours(HttpCase):
    def test_each_menu_leads_somewhere(self):
        self.start_tour("/web", "mikrotik_monitoring_menus", login="admin")

    def test_zeros_are_shown_as_defaults(self):
        self.env.ref("base.user_admin").groups_id |= self.env.ref("mikrotik_monitoring.group_admin")
        device = (
            self.env["mikrotik.device"]
            .with_context(**PULLED)
            .create({"name": "tour-1", "host": "192.0.2.1", "mtd_id": "tour", "connect_timeout_s": 3})
        )
        self.start_tour("/web", "mikrotik_monitoring_defaults", login="admin")
        self.assertEqual((device.port, device.connect_timeout_s, device.command_timeout_s), (0, 0.0, 2.5))
