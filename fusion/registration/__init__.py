"""How one image lies to another."""
