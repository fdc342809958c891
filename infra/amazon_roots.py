"""Picks Amazon's certificate authorities, the only ones the redirect reads, from botocore's bundle.

``python -m infra.amazon_roots`` writes the file; a test says when it has to.
Which authorities the services use: https://www.amazontrust.com/repository/
"""

from __future__ import annotations

import hashlib
import re
import ssl
import sys
from pathlib import Path
from typing import Final

import botocore

FILE: Final = Path(__file__).resolve().parents[1] / "shared/adapters/dynamodb/amazon_roots.pem"
BUNDLE: Final = Path(botocore.__file__).with_name("cacert.pem")

FINGERPRINTS: Final = {
    "Amazon Root CA 1": "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
    "Amazon Root CA 2": "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
    "Amazon Root CA 3": "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
    "Amazon Root CA 4": "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
    "Starfield Services Root Certificate Authority - G2": (
        "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5"
    ),
}
"""SHA-256 of the certificates."""

_CERTIFICATE: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----\n.*?\n-----END CERTIFICATE-----\n", re.DOTALL
)
_HEAD: Final = """\
Amazon's certificate authorities, picked out of botocore's bundle by their SHA-256:
python -m infra.amazon_roots
"""


class MissingRootError(Exception):
    """The bundle lacks an authority."""


def picked(bundle: str) -> str:
    """Return the text of our file.

    Raises:
        MissingRootError: naming the authorities that the bundle lacks.
    """
    found = {
        hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest(): pem
        for pem in _CERTIFICATE.findall(bundle)
    }
    missing = [name for name, sha256 in FINGERPRINTS.items() if sha256 not in found]
    if missing:
        raise MissingRootError(", ".join(missing))
    return _HEAD + "".join(found[sha256] for sha256 in FINGERPRINTS.values())


if __name__ == "__main__":
    FILE.write_text(picked(BUNDLE.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"written: {FILE}\n")
