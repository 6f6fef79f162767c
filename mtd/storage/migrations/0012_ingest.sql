-- What collectors and integrators send.
SELECT 1;
