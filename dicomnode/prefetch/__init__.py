"""Asking the PACS for the partner study."""
