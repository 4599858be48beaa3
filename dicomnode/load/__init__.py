"""From instances to a Volume."""

from .series import LoadedSeries, load_series

__all__ = ["LoadedSeries", "load_series"]
