"""The HTTP interface of a node: one table of routes, the views that answer them, and the server.

A new route is one entry in `routes.py` and the view that it names.
"""
