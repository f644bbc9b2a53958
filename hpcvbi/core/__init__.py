"""The words every layer uses. Imports NumPy and the standard library only."""
