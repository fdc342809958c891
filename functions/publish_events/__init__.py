"""Stream of the core table to the bus."""
