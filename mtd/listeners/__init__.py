"""What routers push: lines of their logs, flows, traps. Receiving, and what becomes of it on its way to the recorder."""
