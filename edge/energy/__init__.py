"""Requests, offers and contracts as values and rules, without I/O (thesis 4.1, 4.2).

A supplier and a consumer are plain state machines. They are told what the other side publishes, and they
return what to publish themselves. The prosumer twin carries both to and from the tuple space.
"""
