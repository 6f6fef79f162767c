from odoo import _, api, fields, models
from odoo.exceptions import UserError


class MikrotikSite(models.Model):
    """Where routers stand."""

    _name = "mikrotik.site"
    _inherit = "mikrotik.sync"
    _description = "MikroTik Monitoring: Site"
    _order = "name"
    _check_company_auto = True

    address = fields.Char(help="Where it is, for people.")
    device_ids = fields.One2many("mikrotik.device", "site_id", string="Devices")
    device_count = fields.Integer(string="Number of devices", compute="_compute_device_count")

    _sql_constraints = [
        ("name_unique", "UNIQUE(name, company_id)", "There is a site of this name, maybe archived."),
        ("mtd_id_unique", "UNIQUE(mtd_id, company_id)", "mtd's site is here already."),
    ]

    def _compute_device_count(self):
        counts = dict(
            self.env["mikrotik.device"]._read_group([("site_id", "in", self.ids)], ["site_id"], ["__count"])
        )
        for record in self:
            record.device_count = counts.get(record, 0)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_with_devices(self):
        if (
            self.env["mikrotik.device"]
            .with_context(active_test=False)
            .search_count([("site_id", "in", self.ids)], limit=1)
        ):
            raise UserError(_("Devices are at this site, maybe archived ones: give them another one first."))

    @api.ondelete(at_uninstall=False)
    def _unlink_in_mtd_too(self):
        """Remove sites here and in mtd, or neither."""
        from mtd.client import MtdClientError, places

        for record in self.filtered("mtd_id"):
            connection = self.env["mikrotik.connection"]._of_company(record.company_id)
            try:
                connection._call(lambda client, site=record.mtd_id: client.ask(places.delete_site(site)))
            except MtdClientError as error:
                if error.code != "NOT_FOUND":
                    raise UserError(connection._words(error)) from error

    def action_devices(self):
        """Show the devices of the site."""
        self.ensure_one()
        self.check_access_rights("read")
        self.check_access_rule("read")
        action = self.env["ir.actions.act_window"]._for_xml_id("mikrotik_monitoring.action_mikrotik_device")
        return {**action, "domain": [("site_id", "=", self.id)], "context": {"default_site_id": self.id}}

    # -- what mtd gets and gives -----------------------------------------------------

    @api.model
    def _synced_fields(self):
        return frozenset(("name", "address", "notes"))

    def _settings_of(self, names):
        return {name: self[name] or "" for name in names}

    def _values_of(self, remote, known):
        return {"name": remote.name, "address": remote.address, "notes": remote.notes}

    @api.model
    def _send_new(self, client, push):
        from mtd.client import places

        settings = dict(push.settings)
        return client.ask(places.create_site(settings.pop("name"), request_id=push.request_id, **settings))

    @api.model
    def _send_change(self, client, push):
        from mtd.client import places

        return client.ask(places.update_site(push.mtd_id, revision=push.revision, **push.settings))

    @api.model
    def _fetch(self, client, name_or_id):
        from mtd.client import places

        return client.ask(places.get_site(name_or_id))
