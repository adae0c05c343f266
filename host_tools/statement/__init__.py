"""Settlement of a community on a PC: sharing keys over its books, statements of members, fairness."""
