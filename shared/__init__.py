"""The product: rules, use cases and adapters. Runs without Lambda."""
