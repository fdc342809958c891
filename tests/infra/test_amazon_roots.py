"""The certificate authorities that the redirect trusts: Amazon's five, and nobody else's."""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from infra.amazon_roots import BUNDLE, FILE, FINGERPRINTS, MissingRootError, picked
from shared.adapters.dynamodb.lean import AMAZON_ROOTS, client_from_environment

ENVIRONMENT = {
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
}


def trusted(environment: dict[str, str]) -> ssl.SSLContext:
    context = client_from_environment(environment)._connection._context
    assert context is not None
    return context


def test_our_file_is_what_the_bundle_holds() -> None:
    assert picked(BUNDLE.read_text("utf-8")) == FILE.read_text("utf-8")


def test_the_client_trusts_these_and_no_others() -> None:
    context = trusted(ENVIRONMENT)

    assert str(FILE) == AMAZON_ROOTS
    assert set(FINGERPRINTS.values()) == {
        hashlib.sha256(certificate).hexdigest()
        for certificate in context.get_ca_certs(binary_form=True)
    }
    assert set(FINGERPRINTS) == {
        dict(part[0] for part in certificate["subject"])["commonName"]  # type: ignore[misc]
        for certificate in context.get_ca_certs()
    }


def test_the_client_checks_names_and_chains() -> None:
    context = trusted(ENVIRONMENT)

    assert context.check_hostname
    assert ssl.CERT_REQUIRED == context.verify_mode
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_none_of_them_ends_within_a_year() -> None:
    ends = [
        datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
        for certificate in trusted(ENVIRONMENT).get_ca_certs()
    ]

    assert min(ends) > datetime.now(UTC) + timedelta(days=365)


def test_in_china_the_machines_own_authorities_count() -> None:
    assert len(FINGERPRINTS) != len(
        trusted(ENVIRONMENT | {"AWS_REGION": "cn-north-1"}).get_ca_certs()
    )


def test_a_bundle_that_lacks_one_is_refused() -> None:
    one = FILE.read_text("utf-8").partition("-----END")[0] + "-----END CERTIFICATE-----\n"

    with pytest.raises(MissingRootError, match=r"Amazon Root CA 2, .*Starfield"):
        picked(one)
