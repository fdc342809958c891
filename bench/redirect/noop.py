"""A handler that does nothing: what the runtime client itself takes."""

from typing import Any


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Send everybody to one place."""
    return {"statusCode": 302, "headers": {"location": "https://shop.example/"}, "body": ""}
