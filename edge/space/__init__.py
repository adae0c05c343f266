"""The coordination kernel: tuple space, LSAs, coordination laws, law engine, agents (thesis 3.1, 5.1).

It knows nothing of energy, and is written in the subset that MicroPython runs too : arrays,
no numpy, no dataclasses, no typing at run time. What differs between the two comes from `shim`.
"""
