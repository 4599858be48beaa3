"""Whether a registration can be trusted, and how good a fusion is."""
