"""Benches of flows: seeded datagrams of the lab, what reading and keeping them costs, beside programs of others."""
