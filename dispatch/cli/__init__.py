"""One module for each command: its arguments and its words; the work is done elsewhere."""
