"""Arithmetic on lanes: draws side by side in one SIMD register, as a numba type with explicit
width.
"""
