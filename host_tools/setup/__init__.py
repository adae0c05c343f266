"""Sets up a PC; standard library only, as it runs before the virtual environment exists."""
