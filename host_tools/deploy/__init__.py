"""Bringing a new version or configuration to running nodes over ssh (`make deploy`)."""
