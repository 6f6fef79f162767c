"""What routers push: lines of their logs. Receiving, and what becomes of it on its way to the recorder."""
