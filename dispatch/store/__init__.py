"""PostgreSQL and TimescaleDB: start it where none is given, migrate, write, read."""
