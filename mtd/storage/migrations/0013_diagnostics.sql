-- Runs of tools, and what they found.
SELECT 1;
