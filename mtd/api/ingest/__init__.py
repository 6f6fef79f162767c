"""What the doors share of what is sent to mtd: who may send, and what becomes of it."""
