"""Show the submitter that a form reached us, and nothing more."""

from shared.domain.errors import NotFoundError
from shared.domain.keyed import Receipt, read_receipt_token
from shared.ports import ReceiptSecrets


def show_receipt(secrets: ReceiptSecrets, token: str) -> Receipt:
    """Return what the token says; the token alone proves it, so no referral is read.

    Raises:
        NotFoundError: when we did not sign this token.
        UnavailableError: when the store does not answer.
    """
    secret = secrets.server_secret()
    receipt = read_receipt_token(token, secret) if secret else None
    if receipt is None:
        raise NotFoundError
    return receipt
