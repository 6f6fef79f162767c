from unittest.mock import patch

from lxml import etree
from odoo.exceptions import UserError
from odoo.tests.common import tagged

from ..models.device_actions import DEADLINE_S
from .common import MtdCase, failure

BUTTONS = ("action_poll_now", "action_test_connection", "action_refresh_capabilities")
METHODS = {"PollDevice", "TestConnection", "RefreshCapabilities"}


@tagged("post_install", "-at_install")
class TestDeviceActions(MtdCase):
    """Buttons that ask a router wait for it, but not for an mtd that is away or another tenant's."""

    def setUp(self):
        super().setUp()
        self.device = self._device()
        self.mtd.calls.clear()

    def _press(self, button):
        return getattr(self.device, button)()

    def _asked_of_routers(self):
        return [method for method, _request in self.mtd.calls if method in METHODS]

    def test_a_router_is_waited_for_so_long(self):
        waits = {}

        def ask(call):
            waits[call.method] = call.min_timeout_s
            return type(self.mtd).ask(self.mtd, call)

        with patch.object(self.mtd, "ask", ask):
            for button in BUTTONS:
                self._press(button)
        self.assertEqual(
            {method: waits.get(method) for method in METHODS}, dict.fromkeys(METHODS, DEADLINE_S)
        )

    def test_an_mtd_that_hangs_is_not_waited_for(self):
        self.mtd.error = failure("DEADLINE_EXCEEDED", "too late")
        for button in BUTTONS:
            with self.assertRaisesRegex(UserError, "doesn't answer"):
                self._press(button)
        self.assertEqual({method for method, _request in self.mtd.calls}, {"WhoAmI"}, "a small question")

    def test_a_button_works_as_soon_as_mtd_is_back(self):
        self.mtd.error = failure("UNAVAILABLE")
        self.connection._test()
        self.assertTrue(self.connection._is_away())
        self.mtd.error = None
        self.assertEqual(self._press("action_poll_now")["params"]["type"], "success")
        self.assertFalse(self.connection._is_away())

    def test_a_router_that_takes_too_long_is_no_mtd_that_is_away(self):
        with patch.object(self.mtd, "_PollDevice", side_effect=failure("DEADLINE_EXCEEDED")):
            self.assertEqual(self._press("action_poll_now")["params"]["type"], "warning")
        self.assertFalse(self.connection._is_away())

    def test_another_tenant_is_asked_of_no_router(self):
        self.connection._leave_tenant()
        self.mtd.tenant = "somebody else's"
        for button in BUTTONS:
            with self.assertRaisesRegex(UserError, "The token is of tenant somebody else's"):
                self._press(button)
        self.assertFalse(self._asked_of_routers())

    def test_a_tenant_is_noted_before_a_router_is_asked(self):
        self.connection._leave_tenant()
        self._press("action_poll_now")
        self.assertEqual(self.connection.tenant_id, "id of acme")

    def test_a_failed_connection_is_told_on_the_form(self):
        self.assertFalse(self.device.connection_failed)
        self.mtd.error = failure("UNAUTHENTICATED", "the token was revoked")
        self.connection._reconcile()
        self.device.invalidate_recordset()
        self.assertTrue(self.device.connection_failed)
        form = etree.fromstring(self.device.get_view(view_type="form")["arch"])
        [alert] = form.xpath("//div[@role='alert'][contains(@invisible, 'not connection_failed')]")
        self.assertIn("may be old", alert.text)
