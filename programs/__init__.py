"""Example programmes, one for each reward model, each with a scenario that the tests run."""
