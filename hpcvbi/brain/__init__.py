"""What is simulated: connectome, model, coupling, noise, brain. Declarations only; no loops, no
numba.
"""
