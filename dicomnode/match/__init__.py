"""Which series of which patient belong together, and why."""
