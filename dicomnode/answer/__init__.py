"""What the node answers to people and programs that ask: the operator's page, and what it holds.

Beside worker and scheduler; nothing here imports torch.
"""
