"""One thread for BLAS, said before NumPy is loaded.

Products here are small. OpenBLAS would start a thread for each core when it is loaded, and again
for products of some size, which then wait busily: a quarter of the CPU time of a short command.
"""

import os

THREADS = "OPENBLAS_NUM_THREADS"
os.environ.setdefault(THREADS, "1")
