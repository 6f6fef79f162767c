"""NetFlow, IPFIX and sFlow: received and read by processes of their own, recorded by the daemon."""
