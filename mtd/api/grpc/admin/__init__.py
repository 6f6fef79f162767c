"""Services for those who run mtd: tenants, users, tokens, and what belongs to them."""
