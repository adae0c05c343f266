"""Compress the files of the dashboard for a node, which serves them as they are."""

from pack_pages import GROUPS, lean, pack, packed, served

__all__ = ["GROUPS", "lean", "pack", "packed", "served"]
