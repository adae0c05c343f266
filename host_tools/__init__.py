"""What runs on a PC: microgrids on one machine, simulated meters, virtual worlds, benchmarks."""
