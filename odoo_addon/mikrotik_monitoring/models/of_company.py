from odoo import _, api, models
from odoo.exceptions import AccessError, UserError


class MikrotikOfCompany(models.AbstractModel):
    """Rows that stay with their company, for all that users do. The superuser may do more: moving, for instance."""

    _name = "mikrotik.of.company"
    _description = "MikroTik Monitoring: Row of a company"

    @api.model_create_multi
    def create(self, vals_list):
        records = super().create(vals_list)
        records._check_within_reach()
        return records

    def write(self, vals):
        if "company_id" in vals:
            self._check_company_stays(vals["company_id"])
        done = super().write(vals)
        self._check_within_reach()
        return done

    def _check_company_stays(self, company_id):
        if self.env.su:
            return
        # sudo: whose rows these are is compared, not told.
        if any(record.company_id.id != company_id for record in self.sudo()):
            raise UserError(
                _(
                    "What is here stays with its company. Archive or delete it, and add it in the other company."
                )
            )

    def _check_within_reach(self):
        """Check the rules on what was written: before a write, core checks what was there."""
        if not self.env.su:
            self.check_access_rule("write")

    @api.model
    def _domain_of(self, company):
        """Return which rows are a company's; those of all companies for None."""
        return [] if company is None else [("company_id", "=", company.id)]

    # -- forms -------------------------------------------------------------------

    def onchange(self, values, field_names, fields_spec):
        """Leave out rows that the user can't find: core tells the name of any id that it is given."""
        if self.env.su:
            return super().onchange(values, field_names, fields_spec)
        defaults = {
            key: self._found(field, self.env.context[key])
            for name, field in self._fields.items()
            if field.type == "many2one" and (key := f"default_{name}") in self.env.context
        }
        return super(MikrotikOfCompany, self.with_context(**defaults)).onchange(
            self._found_values(values), field_names, fields_spec
        )

    @api.model
    def _found_values(self, values):
        """Return the values of a form, without the rows that the user can't find."""
        return {
            name: self._found(self._fields[name], value) if name in self._fields else value
            for name, value in values.items()
        }

    @api.model
    def _found(self, field, value):
        """Return a value of a form, without what the user can't find of the rows that it names."""
        if not field.relational or not value:
            return value
        rows = self.env[field.comodel_name]
        if field.type == "many2one":
            return next(iter(_search_ids(rows, [value])), False)
        kept = []
        for command in value:
            if not isinstance(command, (list, tuple)):
                raise UserError(_("%s isn't a list of commands: reload the page.", field.name))
            code, row, argument = (*command, 0, 0)[:3]
            if code == 6:
                kept.append((6, 0, _search_ids(rows, argument)))
            elif code in (0, 5) or _search_ids(rows, [row]):
                inside = isinstance(argument, dict) and isinstance(rows, MikrotikOfCompany)
                kept.append((code, row, rows._found_values(argument) if inside else argument))
        return kept


def _search_ids(rows, ids):
    """Return those of these ids that the user finds."""
    wanted = [one for one in ids if isinstance(one, int)]
    try:
        return rows.with_context(active_test=False).search([("id", "in", wanted)]).ids if wanted else []
    except AccessError:
        return []
