from odoo import api, fields, models

_UPSERT = """
    INSERT INTO mikrotik_device_capability AS here
        (device_id, company_id, name, value, present, detail, create_uid, create_date, write_uid, write_date)
    SELECT %(device)s, %(company)s, name, value, present, detail,
        %(user)s, now() AT TIME ZONE 'UTC', %(user)s, now() AT TIME ZONE 'UTC'
    FROM unnest(%(names)s::text[], %(values)s::text[], %(present)s::bool[], %(details)s::text[])
        AS told (name, value, present, detail)
    ON CONFLICT (device_id, name) DO UPDATE
    SET value = EXCLUDED.value, present = EXCLUDED.present, detail = EXCLUDED.detail,
        write_uid = EXCLUDED.write_uid, write_date = EXCLUDED.write_date
    WHERE (here.value, here.present, here.detail)
        IS DISTINCT FROM (EXCLUDED.value, EXCLUDED.present, EXCLUDED.detail)
"""


class MikrotikDeviceCapability(models.Model):
    """What a router can do, as it said when it was asked. Of what isn't here nothing is known."""

    _name = "mikrotik.device.capability"
    _inherit = "mikrotik.of.company"
    _description = "MikroTik Monitoring: Capability of a device"
    _order = "present desc, name"

    device_id = fields.Many2one(
        "mikrotik.device", required=True, index=True, readonly=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="device_id.company_id", store=True, index=True)
    name = fields.Char(required=True, readonly=True)
    value = fields.Char(readonly=True, help="What the router said of it: a version, a count, a model.")
    present = fields.Boolean(readonly=True)
    detail = fields.Char(readonly=True, help="Why it isn't there, in the router's words.")

    _sql_constraints = [
        ("name_unique", "UNIQUE(device_id, name)", "The device has this capability already."),
    ]

    @api.model
    def _take(self, device, remote):
        """Replace what is known of a device by what mtd says.

        By SQL, in two statements: a thousand routers that appear at once bring 70,000 of these.
        """
        present = remote.capabilities
        absent = {name: why for name, why in remote.absent_capabilities.items() if name not in present}
        names = [*present, *absent]
        values = [*present.values(), *[None] * len(absent)]
        details = [*[None] * len(present), *absent.values()]
        self.env["mikrotik.device"].flush_model()
        self.env.cr.execute(
            "DELETE FROM mikrotik_device_capability WHERE device_id = %s AND NOT name = ANY(%s)",
            (device.id, names),
        )
        self.env.cr.execute(
            _UPSERT,
            {
                "device": device.id,
                "company": device.company_id.id,
                "user": self.env.uid,
                "names": names,
                "values": values,
                "present": [name in present for name in names],
                "details": details,
            },
        )
        self.invalidate_model()
        device.invalidate_recordset(["capability_ids"])
