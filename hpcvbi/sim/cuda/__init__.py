"""The CUDA backend: the kernels of `sim.source`, one thread per lane and worker.

A thread block advances one group of draws. `threadIdx.x` is the lane, that is the draw within its
group; `threadIdx.y` is the worker, and the workers of a group share its regions among them. Arrays
lie in memory as they do on the CPU, the lane fastest, so that the 32 lanes of a warp read 32
consecutive numbers. The text of a kernel is the same as on the CPU; what its names mean is said in
`device`.

One process uses one device, the first that CUDA_VISIBLE_DEVICES names. Several devices are used by
as many processes, each with its own CUDA_VISIBLE_DEVICES; a draw's result does not depend on which
of them computes it, because its noise depends on nothing but the draw's number and the seed.
"""
