-- The internal CA: enrolment tokens, certificates of collectors, revocations.
SELECT 1;
