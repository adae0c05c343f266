"""The configuration of a node: every key with its default, range and meaning; files checked as a whole."""
