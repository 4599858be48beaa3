"""How alike two images are under a transform."""
