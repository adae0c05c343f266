"""SD-card images for nodes, built from Debian packages and wheels; no foreign code runs, nothing is mounted."""
