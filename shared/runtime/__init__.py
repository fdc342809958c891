"""Lambda glue: configuration, HTTP, clock and ids."""
