"""`python -m host_tools sim`: whole microgrids under a virtual clock, measured as in thesis 4.4."""
