"""Energy as values and rules, without I/O (thesis 4.1, 4.2, DESIGN 7).

A supplier and a consumer are plain state machines: they are told what the other side shows, and say
what they show themselves. The prosumer twin carries both to and from the tuple space.
"""
