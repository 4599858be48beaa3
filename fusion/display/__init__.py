"""Windows, colour tables and blending."""

from .blending import blend
from .colour_tables import COLOUR_TABLES, ColourTable
from .windows import CT_WINDOWS, Window, chosen_window, window_of

__all__ = ["COLOUR_TABLES", "CT_WINDOWS", "ColourTable", "Window", "blend", "chosen_window", "window_of"]
