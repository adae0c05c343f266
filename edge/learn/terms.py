"""The terms of learning: the horizons and the states (thesis 4.3).

Powers are a float32 array (6,) in W, in the order of VARIABLES, NaN where unknown. A minute is an int:
minutes since 1970 of UTC; `calendar` turns it into civil time. A prediction is a
float32 array (6, 4, 7): for each variable and horizon, the probabilities of the seven states.
"""

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float32]
    States: TypeAlias = NDArray[np.int8]
else:
    Array = States = Any

HORIZONS_MIN = (5, 10, 30, 60)
LEADS_MIN = (*HORIZONS_MIN, 120, 240, 480, 960, 1440)  # of forecasts in watts; see `outlook`
LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)  # of their quantiles
STATES = 7
ZERO_W = 1e-3  # a smaller power is float noise and counts as 0
