"""SD-card images for nodes, from Debian packages and wheels; no foreign code runs, nothing is mounted."""
