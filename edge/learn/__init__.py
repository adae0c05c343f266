"""Learning: states, models of the six variables, training on the device (thesis 3.2.4, 4.3, 5.2.3).

Only `terms` and `registry` may be imported without numpy; the rest is loaded when learning is on.
"""

import os

# Set before numpy is imported: each further thread of its BLAS takes a stack and competes with reactions.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
