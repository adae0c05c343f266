"""Installs a new version or configuration on running nodes over ssh (`make deploy`)."""
