"""How a brain is computed: `simulate` and its backends. The only home of numba."""
