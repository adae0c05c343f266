"""The dashboard on a PC: its vendored libraries, and its screenshots."""
