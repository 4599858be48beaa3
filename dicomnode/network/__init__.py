"""Associations, contexts and peers: shared by what receives, prefetches, sends and answers."""
