from __future__ import annotations

import pytest

from shared.domain import customers
from shared.domain.errors import InvalidFieldsError

SECRET = b"server-secret-of-thirty-two-byte"


def is_listed(entry: str, address: str) -> bool:
    return entry in customers.entries_of(SECRET, address)


@pytest.mark.parametrize(
    ("domain", "address", "matches"),
    [
        ("acme.com", "ann@acme.com", True),
        (" ACME.com. ", "Bob+x@Acme.COM", True),
        ("bücher.example", "a@xn--bcher-kva.example", True),
        ("acme.com", "ann@eu.acme.com", False),
        ("acme.com", "ann@notacme.com", False),
    ],
)
def test_a_company_is_known_by_the_domain_of_its_addresses(
    domain: str, address: str, *, matches: bool
) -> None:
    assert matches == is_listed(customers.by_domain(SECRET, domain), address)


@pytest.mark.parametrize(
    ("listed", "address", "matches"),
    [
        ("ann@acme.com", "Ann+news@ACME.com", True),
        ("a.n.n@gmail.com", "ann@googlemail.com", True),
        ("ann@acme.com", "bob@acme.com", False),
        ("ann@gmail.com", "bob@gmail.com", False),
    ],
)
def test_a_person_is_known_by_the_address(listed: str, address: str, *, matches: bool) -> None:
    assert matches == is_listed(customers.by_email(SECRET, listed), address)


@pytest.mark.parametrize("domain", ["gmail.com", "GoogleMail.com", "web.de", "t-online.de"])
def test_free_mail_is_no_company(domain: str) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        customers.by_domain(SECRET, domain)

    assert [("domain", "free_mail")] == [(each.path, each.code) for each in refused.value.errors]
    assert 1 == len(customers.entries_of(SECRET, f"ann@{domain}"))


@pytest.mark.parametrize(
    "domain",
    ["", "com", "@acme.com", "ann@acme.com", "https://acme.com", "acme..com", "a b.com", "-a.com",
     "acme.com/x", "1.2.3.4", f"{'a' * 64}.com", "x." * 130 + "com"],
)  # fmt: skip
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        customers.by_domain(SECRET, domain)

    assert "bad_host" == refused.value.errors[0].code


def test_the_ids_tell_nothing_without_the_secret() -> None:
    here = customers.by_domain(SECRET, "acme.com")

    assert here != customers.by_domain(b"another secret of thirty-two-byt", "acme.com")
    assert here != customers.by_email(SECRET, "acme.com")
    assert "acme" not in here
    assert len("cus_") + 32 == len(here)
