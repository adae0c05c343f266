"""Measured data through the learning of a node: scores, plots, shipped models."""
