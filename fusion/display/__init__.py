"""Windows, colour tables and blending."""
