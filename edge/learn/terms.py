"""The words of learning: the horizons, the states (thesis 4.3, behaviour c).

Powers are a float32 array (6,) in W, in the order of VARIABLES, NaN where unknown. A minute is an int:
minutes since 1970 of the local civil clock, so that minute % 1440 is the time of day. A prediction is a
float32 array (6, 4, 7): for each variable and horizon the probabilities of the seven states.
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
STATES = 7
QUARTER_MIN = 15  # meters and markets often go by it
WEEKDAY_1970 = 3  # of the first day: a Thursday, when Monday is 0
ZERO_W = 1e-3  # below it a power is float noise and counts as 0
