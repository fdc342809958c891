"""Reads synthesised templates the way the assertions ask."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

Properties = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template with the ids that CDK derived from construct paths."""

    body: dict[str, Any]

    def of_type(self, resource_type: str) -> dict[str, Properties]:
        """Return the resources of a type by logical id."""
        return {
            logical_id: resource
            for logical_id, resource in self.body["Resources"].items()
            if resource["Type"] == resource_type
        }

    def properties(self, resource_type: str, prefix: str) -> Properties:
        """Return the properties of the one resource whose logical id starts with ``prefix``."""
        return cast("Properties", self.resource(resource_type, prefix)["Properties"])

    def resource(self, resource_type: str, prefix: str) -> dict[str, Any]:
        """Return the one resource whose logical id starts with ``prefix``."""
        return cast(
            "dict[str, Any]",
            self.body["Resources"][self.logical_id(resource_type, prefix)],
        )

    def logical_id(self, resource_type: str, prefix: str) -> str:
        """Return the logical id of the one resource that starts with ``prefix``."""
        (logical_id,) = (
            logical_id for logical_id in self.of_type(resource_type) if _starts(logical_id, prefix)
        )
        return logical_id

    def statements(self, function: str) -> list[dict[str, Any]]:
        """Return every statement of a function's role, lists made of what may be single."""
        prefix = function.replace("_", "") + "role"
        role = self.properties("AWS::IAM::Role", prefix)
        assert "ManagedPolicyArns" not in role
        role_id = self.logical_id("AWS::IAM::Role", prefix)
        documents = [policy["PolicyDocument"] for policy in role["Policies"]]
        documents += [
            policy["Properties"]["PolicyDocument"]
            for policy in self.of_type("AWS::IAM::Policy").values()
            if {"Ref": role_id} in policy["Properties"]["Roles"]
        ]
        return [
            {
                **statement,
                "Action": _listed(statement["Action"]),
                "Resource": _listed(statement["Resource"]),
            }
            for document in documents
            for statement in document["Statement"]
        ]

    def statements_on(self, function: str, resource_prefix: str) -> list[dict[str, Any]]:
        """Return a function's statements that name a resource of this logical id prefix."""
        return [
            statement
            for statement in self.statements(function)
            if any(f'"{resource_prefix}' in json.dumps(arn) for arn in statement["Resource"])
        ]

    def actions_on(self, function: str, resource_prefix: str) -> set[str]:
        """Return what a function may do to a resource."""
        return {
            action
            for statement in self.statements_on(function, resource_prefix)
            for action in statement["Action"]
        }


def _starts(logical_id: str, prefix: str) -> bool:
    # What follows is CDK's hash of the path: eight capital hex digits; or nothing.
    return logical_id.startswith(prefix) and len(logical_id) in (len(prefix), len(prefix) + 8)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
