"""Order of steps: one file per verb. Load, ask the domain, save."""
