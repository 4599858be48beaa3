"""Fusion methods, one a file."""
