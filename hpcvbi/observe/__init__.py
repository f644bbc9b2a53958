"""How a brain is seen: monitors, declared like models. Imports NumPy and `core` only."""
