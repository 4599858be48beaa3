"""What the node says of itself: logs, metrics, health."""

from .health import run_checks
from .logs import account, configure_logs, describe

__all__ = ["account", "configure_logs", "describe", "run_checks"]
