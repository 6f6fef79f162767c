"""All faults, by name, each with the page of ``docs/runbooks`` that tells what to do about it."""
