"""The mixture: networks, chains, counts and regressions, pooled by weights that follow their success."""
