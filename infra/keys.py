"""What must stay secret: the key for webhook secrets and the first management key."""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING, Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

if TYPE_CHECKING:
    from infra.settings import Settings

ADMIN_SECRET_LENGTH: Final = 40


class Keys(Construct):
    """A rotating KMS key, and a management key ``{"id": "root", "secret": ...}`` made at deploy."""

    def __init__(self, scope: Construct, *, settings: Settings) -> None:
        super().__init__(scope, "keys")
        kept = RemovalPolicy.RETAIN if settings.protected else RemovalPolicy.DESTROY
        self.key = kms.Key(
            self,
            "webhook_secrets",
            description="Encrypts the secrets that sign incoming webhooks",
            enable_key_rotation=True,
            removal_policy=kept,
        )
        self.admin = secretsmanager.Secret(
            self,
            "admin",
            description="The first management key of this deployment",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"id": "root"}),
                generate_string_key="secret",
                password_length=ADMIN_SECRET_LENGTH,
                exclude_punctuation=True,
                # The same again in letters: stand-ins of the service overlook the flag.
                exclude_characters=string.punctuation,
            ),
            removal_policy=kept,
        )
