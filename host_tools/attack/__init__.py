"""`make attack`: real nodes and brokers, and one member of the microgrid that lies to them."""
