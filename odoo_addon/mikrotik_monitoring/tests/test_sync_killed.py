from unittest.mock import patch

from odoo.tests.common import tagged

from .common import CommittedCase


class Killed(BaseException):
    """The process is no more: nothing of ours catches this, and what isn't committed is lost."""


@tagged("post_install", "-at_install")
class TestKilled(CommittedCase):
    """A process dies when mtd has made what it was sent. What it committed is all that the next one knows."""

    def _push(self):
        self.env["mikrotik.device"]._push_ids([self.device_id])

    def _push_and_die(self, method):
        """Push the device, and die when mtd has done what ``method`` asks for."""
        work = getattr(self.mtd, method)

        def done_and_died(*args, **kwargs):
            work(*args, **kwargs)
            raise Killed

        with patch.object(self.mtd, method, done_and_died), self.assertRaises(Killed):
            self._push()

    def test_a_device_that_is_renamed_then_is_one_device(self):
        self._push_and_die("create_device")
        with self._committed() as env:
            device = env["mikrotik.device"].browse(self.device_id)
            self.assertEqual((device.sync_state, device.mtd_id), ("pending", False))
            self.assertEqual(device.sync_sent["settings"]["name"], "core-1")
            device.write({"name": "edge-1", "notes": "moved"})
        self._push()
        self._push()
        [there] = self.mtd.devices.values()
        self.assertEqual((there.name, there.notes), ("edge-1", "moved"))
        with self._committed() as env:
            device = env["mikrotik.device"].browse(self.device_id)
            self.assertEqual((device.sync_state, device.mtd_id), ("synced", there.id))
            self.assertFalse(device.sync_sent)

    def test_its_site_that_is_renamed_then_is_one_site(self):
        self._push_and_die("_CreateSite")
        self.assertFalse(self.mtd.devices, "the site comes first")
        with self._committed() as env:
            site = env["mikrotik.site"].browse(self.site_id)
            self.assertEqual(site.sync_sent["settings"]["name"], "graz")
            site.name = "linz"
        self._push()
        self.env["mikrotik.site"]._push_ids([self.site_id])
        self.assertEqual([site.name for site in self.mtd.sites.values()], ["linz"])
        self.assertEqual(len(self.mtd.devices), 1)
