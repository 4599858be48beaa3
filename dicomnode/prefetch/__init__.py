"""Asks a PACS for the partner study that a rule needs and that has not come: found, confirmed, then brought."""

from .prefetcher import Prefetcher

__all__ = ["Prefetcher"]
