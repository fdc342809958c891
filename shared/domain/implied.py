"""What else is reached with a milestone: terms may say that ``won`` implies ``qualified``."""

from shared.domain.terms import Terms


def closure(milestone: str, terms: Terms) -> list[str]:
    """Return the milestone and all that it implies, directly or not."""
    found = [milestone]
    for name in found:
        found += [implied for implied in terms.implies.get(name, ()) if implied not in found]
    return found
