"""A patient who never was: anatomy by formula, and scanners that look at it."""
