"""What mtd says of tenants, for the models and the bridge alike."""

FIRST_ID = "00000000-0000-4000-8000-000000000001"
"""The tenant that each mtd begins with: the only one whose id other mtds have, too."""
SUPER_ADMIN = "super-admin"
"""The role that reaches all tenants."""
OTHER_TENANT = "OTHER_TENANT"
"""Why a tenant is refused, as a word for code."""
