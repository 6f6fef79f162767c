-- Filled by what measures service levels.
SELECT 1;
