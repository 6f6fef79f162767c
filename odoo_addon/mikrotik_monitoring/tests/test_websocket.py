import json
import time
from types import SimpleNamespace
from unittest.mock import patch

from odoo.addons.bus.models import ir_websocket as bus_websocket
from odoo.addons.bus.tests.common import WebsocketCase
from odoo.http import root
from odoo.tests.common import tagged

from ..models import ir_websocket
from .common import MtdCase, device_of

LIVE = "mikrotik_monitoring.live"


@tagged("post_install", "-at_install")
class TestWebsocket(MtdCase, WebsocketCase):
    """Who hears what: by a real websocket, as a browser's."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.viewer = cls._user("socket-viewer", "viewer")
        cls.trusted = cls._user("socket-trusted", "viewer,subscriber_data")
        cls.stranger = cls._user("socket-stranger", "viewer", cls.other_company)
        cls.admin = cls._user("socket-admin", "admin")
        cls.clerk = cls._user("socket-clerk", "viewer")
        cls.clerk.groups_id = cls.env.ref("base.group_user")

    def setUp(self):
        super().setUp()
        ir_websocket._checked.clear()
        self.mine = self._device(name="mine")
        self.other_mtd.devices["x"] = device_of(id="x", name="theirs")
        self.other_connection._reconcile()
        self.theirs = self.env["mikrotik.device"].sudo().search([("mtd_id", "=", "x")])
        self.bus = self.env["bus.bus"]
        self.bus._sendone("nobody", "first", {})

    def _listen(self, user, *names):
        """Return a websocket of a user that asked for these channels."""
        # Users of tests have their login as password.
        session = self.authenticate(user and user.login, user and user.login)
        self.session = None  # the next to log in would end it
        self.addCleanup(root.session_store.delete, session)
        socket = self.websocket_connect(cookie=f"session_id={session.sid};")
        self.subscribe(socket, [*names, "end"], self.bus._bus_last_id())
        return socket

    def _name(self, record):
        return f"mikrotik_monitoring.device.{record.id}"

    def _send(self, *messages):
        """Send live messages, and one at the end that everybody hears."""
        rows = [[target, LIVE, {"device": target[0].id, "text": text}] for target, text in messages]
        self.bus._sendmany([*rows, ["end", "end", {}]])
        self.env.flush_all()
        self.trigger_notification_dispatching([*(target for target, _text in messages), "end"])

    def _heard(self, socket):
        """Return the texts that a websocket got, up to the end."""
        texts = []
        while True:
            for one in json.loads(socket.recv()):
                if one["message"]["type"] == "end":
                    return texts
                texts.append(one["message"]["payload"]["text"])

    def test_each_company_hears_its_own(self):
        names = [self._name(self.mine), self._name(self.theirs)]
        mine, theirs = self._listen(self.viewer, *names), self._listen(self.stranger, *names)
        self._send(((self.mine, "plain"), "of mine"), ((self.theirs, "plain"), "of theirs"))
        self.assertEqual(self._heard(mine), ["of mine"])
        self.assertEqual(self._heard(theirs), ["of theirs"])

    def test_a_poll_reads_nobody_s_name(self):
        last = self.bus._bus_last_id()
        self.bus._sendone("somebody", "kind", {"text": "said"})
        self.env.flush_all()
        self.env.invalidate_all()
        with patch.object(type(self.env["res.users"]), "_fetch_query", side_effect=AssertionError("read")):
            (heard,) = self.bus._poll(["somebody"], last)
        self.assertEqual(heard["message"], {"type": "kind", "payload": {"text": "said"}})
        self.assertGreater(heard["id"], last)
        # Who reads the bus's rows otherwise gets them whole.
        (row,) = self.bus.sudo().search_read([("id", "=", heard["id"])])
        self.assertLess({"id", "channel", "message", "create_uid"}, row.keys())

    def test_subscriber_data_goes_to_those_who_may(self):
        plain = self._listen(self.viewer, self._name(self.mine))
        full = self._listen(self.trusted, self._name(self.mine))
        self._send(((self.mine, "plain"), "plain"), ((self.mine, "full"), "full"))
        self.assertEqual(self._heard(plain), ["plain"])
        self.assertEqual(self._heard(full), ["full"])

    def test_nobody_guesses_a_channel(self):
        number, database = self.mine.id, self.env.cr.dbname
        names = [
            self._name(self.mine),
            self._name(self.mine).upper(),
            f" {self._name(self.mine)}",
            f"{self._name(self.mine)}\n",
            f"mikrotik_monitoring.device.0{number}",
            f"mikrotik_monitoring.device.{number}.plain",
            f"mikrotik_monitoring.device.{number},plain",
            f"mikrotik_monitoring.device.+{number}",
            f"mikrotik_monitoring.device.{number}\N{ARABIC-INDIC DIGIT ONE}",
            "mikrotik_monitoring.device.99999999999999999999",
            "mikrotik_monitoring.device.-1",
            "mikrotik_monitoring.device.",
            "mikrotik.device",
            f"mikrotik.device,{number}",
            f"mikrotik.device({number},)",
            f'["{database}","mikrotik.device",{number},"plain"]',
            f'["{database}","mikrotik.device",{number}]',
            f"('{database}', 'mikrotik.device', {number}, 'plain')",
        ]
        for user in (self.stranger, self.clerk, None):
            socket = self._listen(user, *names)
            self._send(((self.mine, "plain"), "plain"), ((self.mine, "full"), "full"))
            heard = self._heard(socket)
            # Else it would be served beside the next one, on the one cursor that a test has.
            self._close_websockets()
            self.assertEqual(heard, [], user and user.login)

    def test_names_of_ours_never_reach_the_bus(self):
        names = ["mikrotik_monitoring.device.1", " MikroTik_Monitoring.anything", "other"]
        websocket = self.env["ir.websocket"].with_user(self.viewer)
        session = SimpleNamespace(session=SimpleNamespace(uid=self.viewer.id))
        with patch.object(bus_websocket, "wsrequest", session):
            channels = websocket._build_bus_channel_list(names)
        self.assertEqual([one for one in channels if isinstance(one, str)], ["other", "broadcast"])

    def test_who_loses_the_rights_hears_no_more(self):
        socket = self._listen(self.viewer, self._name(self.mine))
        self._send(((self.mine, "plain"), "before"))
        self.assertEqual(self._heard(socket), ["before"])
        self.viewer.groups_id = self.env.ref("base.group_user")
        self.env.flush_all()
        # What was found holds for some seconds; they are over.
        now = time.monotonic()
        for key, (until, allowed) in ir_websocket._checked.items():
            self.assertLessEqual(until, now + ir_websocket.CHECKED_FOR_S)
            ir_websocket._checked[key] = (now, allowed)
        self._send(((self.mine, "plain"), "after"))
        self.assertEqual(self._heard(socket), [])

    def test_who_loses_the_company_hears_no_more(self):
        socket = self._listen(self.viewer, self._name(self.mine))
        self.viewer.write(
            {"company_ids": [(6, 0, self.other_company.ids)], "company_id": self.other_company.id}
        )
        self.env.flush_all()
        ir_websocket._checked.clear()
        self._send(((self.mine, "plain"), "after"))
        self.assertEqual(self._heard(socket), [])

    def test_who_loses_subscriber_data_hears_no_more_of_it(self):
        socket = self._listen(self.trusted, self._name(self.mine))
        self.trusted.groups_id -= self.env.ref("mikrotik_monitoring.group_subscriber_data")
        self.env.flush_all()
        ir_websocket._checked.clear()
        self._send(((self.mine, "full"), "after"))
        self.assertEqual(self._heard(socket), [])

    def test_who_gains_or_loses_subscriber_data_gets_their_kind_when_asked_anew(self):
        subscriber_data = self.env.ref("mikrotik_monitoring.group_subscriber_data")
        for user, change, kind in (
            (self.viewer, self.viewer.groups_id | subscriber_data, "full"),
            (self.trusted, self.trusted.groups_id - subscriber_data, "plain"),
        ):
            socket = self._listen(user, self._name(self.mine))
            user.groups_id = change
            self.env.flush_all()
            ir_websocket._checked.clear()
            # As the page does when it is told of another kind.
            self.subscribe(socket, [self._name(self.mine), "end"], self.bus._bus_last_id())
            self._send(((self.mine, "plain"), "plain"), ((self.mine, "full"), "full"))
            self.assertEqual(self._heard(socket), [kind])
            self._close_websockets()

    def test_of_what_the_bus_kept_only_the_newest_comes(self):
        socket = self._listen(self.viewer, self._name(self.mine))
        self._send(((self.mine, "plain"), "first"), ((self.mine, "plain"), "second"))
        self.assertEqual(self._heard(socket), ["second"])

    def test_output_of_tools_goes_to_who_asked(self):
        run = (
            self.env["mikrotik.diagnostic"]
            .with_user(self.admin)
            .create({"device_id": self.mine.id, "tool": "ping", "address": "192.0.2.9"})
        )
        name = f"mikrotik_monitoring.diagnostic.{run.id}"
        sockets = {user: self._listen(user, name) for user in (self.admin, self.viewer, self.stranger)}
        self._send(((run, "output"), "64 bytes"))
        heard = {user: self._heard(socket) for user, socket in sockets.items()}
        self.assertEqual(heard, {self.admin: ["64 bytes"], self.viewer: [], self.stranger: []})
