"""Inputs of the activities that prepare and clear a runtime's place in a cluster (activities/runtimes.py)."""

from __future__ import annotations

from nautes.messages.claims import Grant
from nautes.resources.payload import Payload


class PrepareInput(Payload):
    """Namespaces of a product with an account in each; an existing namespace of somebody else is refused."""

    grant: Grant
    product_id: str
    namespaces: list[str]
    account: str  # name of the ServiceAccount: product-<id>-<account>
    binding: str  # name of the RoleBinding: product-<id>-<runtime>
    former: list[str] = []  # namespaces that the runtime leaves: its account may still act in them


class ClearInput(Payload):
    """Delete namespaces that are the product's (by label) and wait until they are gone; in `kept` ones others go on."""

    grant: Grant
    product_id: str
    namespaces: list[str]
    kept: list[str] = []
    binding: str = ""  # name of the runtime's RoleBinding, which goes in the namespaces that are kept
    accounts: list[
        str
    ] = []  # ServiceAccounts the runtime has had, which go there as well unless another runtime acts as them


class ClearAccountInput(Payload):
    """Delete a ServiceAccount that a runtime has had, in each namespace where no binding of the product names it any more."""

    grant: Grant
    product_id: str
    namespaces: list[str]
    account: str
