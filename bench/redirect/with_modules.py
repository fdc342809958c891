"""The redirect, answering what is loaded instead of where to go."""

import sys

from functions.track_click import handler as redirect


def handler(_event: dict[str, object], _context: object) -> dict[str, list[str]]:
    """Return the names of all modules that are loaded once the redirect is ready."""
    # The last one is what a package of the development environment does to every start.
    own = {__name__, "bench", "bench.redirect", "_distutils_hack"}
    return {"modules": sorted(set(sys.modules) - own), "from": [redirect.__name__]}
