"""How well mtd does what it promises: counted, kept by the minute, and told."""
