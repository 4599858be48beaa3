"""Transforms that several fusion methods share, one a file: taking images apart and putting them together again."""
