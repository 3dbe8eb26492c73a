"""Hot inner loops as twins: the same names and signatures for NumPy and for CUDA.

What is worth a kernel stands here, one module for each array library; an op that finds none for
its arrays runs its composite.
"""
