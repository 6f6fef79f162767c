-- Data keys of tenants, and sets of credentials.
SELECT 1;
