-- Of which part of their exporter flow records are: parts may have samplings and numbers of interfaces of their own.

-- Source id of NetFlow 9, observation domain of IPFIX, engine of NetFlow 5; null: of sFlow, or stored before it was kept.
ALTER TABLE mtd.flow_block ADD COLUMN domain int8;
