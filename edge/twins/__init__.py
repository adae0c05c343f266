"""Digital twins: agents of the tuple space that think in energy (thesis 3.2)."""
