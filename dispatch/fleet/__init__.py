"""The fleet: columns for every vehicle, and the plain functions that keep them true."""
