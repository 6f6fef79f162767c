"""Who may come through the doors, and to do what."""
