"""Learning: states, models of the six variables, training on the device (thesis 3.2.4, 4.3, 5.2.3).

Only `terms`, `calendar` and `registry` can be imported without numpy; the rest is loaded when learning is
on. The models with parts of their own have an inner room each: `lstm`, and `mixture`, which uses `lstm`.
Nothing here imports an inner room; `registry` loads the one that is asked for by its name.
"""

import os

# Set before numpy is imported: each further BLAS thread takes memory and competes with reactions.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
