"""A study on a PC: the market of the next day on measured data, beside what perfect foresight would bring."""
