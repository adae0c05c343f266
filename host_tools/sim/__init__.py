"""`python -m host_tools sim`: simulates whole microgrids under a virtual clock and measures them (thesis 4.4)."""
