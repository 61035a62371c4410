"""Bytes to vocabularies and back, with no I/O. No input bytes raise out of here."""
