-- Requests that may be repeated, and where devices belong.
SELECT 1;
