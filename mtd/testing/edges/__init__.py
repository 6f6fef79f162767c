"""A hub and collectors at the edge, as processes of this machine: for tests and benches of what lies between them."""
