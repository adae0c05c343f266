"""Receives, tries and rolls back releases and configurations of a node; standard library only."""
