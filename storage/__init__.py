"""The memory: what was received, decided and made."""
