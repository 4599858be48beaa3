"""Transforms, resampling and pyramids."""
