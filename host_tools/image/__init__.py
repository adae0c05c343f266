"""SD-card images of nodes, built from Debian packages and wheels without running their code or mounting."""
