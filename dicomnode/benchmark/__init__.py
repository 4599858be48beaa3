"""Measures the node beside its peers, so that the tables of the docs can be made again by a command.

The peers are never dependencies: each has an environment of its own (`environments.py`, `peers.txt`) and a driver in
`peers/` that runs there on the same files. Rows go to a file as they are measured; tables and plots are made from it.
"""
