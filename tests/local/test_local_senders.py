"""The senders sign like the real ones."""

import base64
import hashlib
import hmac
import json
import time

from standardwebhooks import Webhook

from local.senders import hubspot_change, hubspot_signature, standard_signature

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()


def test_a_standard_signature_satisfies_the_public_library() -> None:
    body = b'{"type":"deal.updated"}'
    library = Webhook(SECRET)
    timestamp = str(int(time.time()))
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": timestamp,
        "webhook-signature": standard_signature(SECRET, "msg_1", timestamp, body),
    }

    assert library.verify(body, headers) == {"type": "deal.updated"}


def test_a_hubspot_signature_covers_method_address_body_and_time() -> None:
    expected = hmac.new(
        b"secret", b"POSThttp://127.0.0.1:1/v1/webhooks/s[]1700000000000", hashlib.sha256
    )

    found = hubspot_signature("secret", "http://127.0.0.1:1/v1/webhooks/s", b"[]", "1700000000000")

    assert base64.b64encode(expected.digest()).decode() == found


def test_the_same_change_is_the_same_event() -> None:
    one, two = (hubspot_change(7, "amount", "1.00", 5) for _ in range(2))
    other = hubspot_change(7, "amount", "1.01", 5)

    assert json.dumps(one) == json.dumps(two)
    assert one["eventId"] != other["eventId"]
