"""Keep the list of who was a programme owner's customer already."""

from collections.abc import Sequence
from datetime import datetime

from shared.ports import CustomerStore, ProgramStore
from shared.usecases.manage_programs import change_program, read_program


def add_customers(
    customers: CustomerStore,
    programs: ProgramStore,
    program_id: str,
    customer_ids: Sequence[str],
    *,
    actor: str,
    now: datetime,
) -> None:
    """Put entries on the list; what is on it stays as it is in effect, so it may come again.

    Leads that were submitted before stay what they were then.

    Raises:
        NotFoundError: no such programme.
        StaleVersionError: others wrote first, five times over.
    """
    # First, so that no entry is ever there that nobody looks up.
    change_program(programs, program_id, {"customers_listed": True})
    customers.add_customers(program_id, customer_ids, actor=actor, now=now)


def remove_customer(
    customers: CustomerStore, programs: ProgramStore, program_id: str, customer_id: str
) -> None:
    """Take an entry off the list; one that is not there is gone already.

    Raises:
        NotFoundError: no such programme.
    """
    read_program(programs, program_id)
    customers.remove_customer(program_id, customer_id)
