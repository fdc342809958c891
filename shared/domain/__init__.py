"""Rules: frozen dataclasses and functions. Standard library only; no I/O, clock or randomness."""
