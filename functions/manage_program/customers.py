"""Routes of a programme's existing customers. Addresses come in and are never kept or shown."""

from typing import Annotated

from pydantic import Field

from functions.manage_program.calls import Answer, Call
from functions.manage_program.documents import json_body
from functions.manage_program.schema import Email, Label, Shape, read
from shared.domain import customers
from shared.domain.errors import FieldError, InvalidFieldsError
from shared.usecases.manage_customers import add_customers, remove_customer


class NewCustomer(Shape):
    """An address, or the domain of a company."""

    email: Email | None = None
    domain: Label | None = None


class NewCustomers(Shape):
    """``POST /programs/{id}/customers``."""

    customers: Annotated[list[NewCustomer], Field(min_length=1, max_length=customers.MAX_AT_ONCE)]


def create(call: Call) -> Answer:
    """Put customers on the list; answers the id of each entry, in the order of the request."""
    body = read(NewCustomers, json_body(call.event))
    found = _ids(call.services.server_secret(), body.customers)
    add_customers(
        call.services.customers,
        call.services.programs,
        call.id_of("program_id"),
        found,
        actor=call.key.principal,
        now=call.now,
    )
    return Answer(status=201, body={"customers": [{"id": each} for each in found]})


def remove(call: Call) -> Answer:
    """Take one entry off the list; doing it again changes nothing."""
    customer_id = call.id_of("customer_id")
    remove_customer(
        call.services.customers, call.services.programs, call.id_of("program_id"), customer_id
    )
    return Answer(status=200, body={"id": customer_id})


def _ids(secret: bytes, wanted: list[NewCustomer]) -> list[str]:
    found: list[str] = []
    errors: list[FieldError] = []
    for place, each in enumerate(wanted):
        path = f"customers[{place}]"
        if (each.email is None) == (each.domain is None):
            message = "must have either email or domain"
            errors.append(FieldError(path=path, code="required", message=message))
        elif each.email is not None:
            found.append(customers.by_email(secret, each.email))
        else:
            try:
                found.append(customers.by_domain(secret, each.domain or ""))
            except InvalidFieldsError as error:
                errors += [
                    FieldError(path=f"{path}.{one.path}", code=one.code, message=one.message)
                    for one in error.errors
                ]
    if errors:
        raise InvalidFieldsError(errors)
    return found
