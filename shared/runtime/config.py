"""Read configuration from the environment, and fail naming the variable."""

import os


class ConfigError(Exception):
    """A variable that the function cannot run without is missing."""


def required(name: str) -> str:
    """Return the value of an environment variable that must be set and not empty.

    Raises:
        ConfigError: naming the variable.
    """
    value = os.environ.get(name, "")
    if not value:
        message = f"environment variable {name} is not set"
        raise ConfigError(message)
    return value


def optional(name: str) -> str:
    """Return the value of an environment variable, or an empty string."""
    return os.environ.get(name, "")
