"""Tools for a PC: microgrids on one machine, simulated meters, simulation, benchmarks, images, deployment."""
