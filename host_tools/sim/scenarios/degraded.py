"""The realistic scenario with half the production: shortages are the rule (thesis 4.4.5.3)."""

from dataclasses import replace

from .realistic import SCENARIO as REALISTIC

_PRODUCTION = 0.5

SCENARIO = replace(
    REALISTIC,
    name="degraded",
    title="realistic households with half the production",
    parameters=tuple(
        replace(each, default=_PRODUCTION) if each.name == "production" else each
        for each in REALISTIC.parameters
    ),
)
