"""What the subcommands do, one group a file. `cli.py` gives them their names."""
