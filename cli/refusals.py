"""Why a command ends without what was wanted, in words for the person at the terminal."""

from collections.abc import Iterator

from shared.adapters.management_api import Reply

DONE = 0
FAILED = 1
WRONG = 2
"""Exit codes. WRONG: the command or a file is wrong, and nothing was sent because of it."""

MAX_LINES = 50


class WrongInputError(Exception):
    """The command or a file is wrong; ``lines`` say what, one fault each."""

    def __init__(self, *lines: str) -> None:
        """Keep the lines, shortened to what a person reads."""
        self.lines = lines[:MAX_LINES]
        if len(lines) > MAX_LINES:
            self.lines = (*self.lines, f"... and {len(lines) - MAX_LINES} more")
        super().__init__("; ".join(self.lines))


def words_of(reply: Reply) -> Iterator[str]:
    """Yield what an answer of the API says is wrong, one line each.

    An answer that is no problem document is not repeated: it may come from anything in between.
    """
    problem = reply.fields
    errors = problem.get("errors")
    named = [error for error in errors if isinstance(error, dict)] if errors else []
    for error in named:
        yield f"{error.get('path')}: {error.get('message')}"
    if not named:
        yield f"{problem.get('detail') or 'the server answered'} ({reply.code or reply.status})"
