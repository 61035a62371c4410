"""A simulated city whose buses speak the same wire as real ones."""
