"""Answering viewers and people."""
