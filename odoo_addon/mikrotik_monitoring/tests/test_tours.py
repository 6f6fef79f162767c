from odoo.tests.common import HttpCase, tagged


@tagged("post_install", "-at_install")
class TestTours(HttpCase):
    def test_each_menu_leads_somewhere(self):
        self.start_tour("/web", "mikrotik_monitoring_menus", login="admin")
