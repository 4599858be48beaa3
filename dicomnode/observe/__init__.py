"""What the node says of itself: logs, metrics, health."""

from .health import HealthServer, run_checks
from .logs import configure_logs, describe

__all__ = ["HealthServer", "configure_logs", "describe", "run_checks"]
