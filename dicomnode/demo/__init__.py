"""What `bootstrap.py demo` runs: a workstation, the node and a PACS, on generated or real patients."""
