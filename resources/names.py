"""The mapping between what people write (paths) and what is stored (ids): shop <-> product-7, deploy <-> repo-3."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

STORED_REPOSITORY = r"repo-[0-9]{1,18}"


@dataclass(frozen=True)
class Names:
    """`products` maps full paths to group ids, `repositories` names (inside the product) to project ids."""

    products: Mapping[str, int] = field(default_factory=dict)
    repositories: Mapping[str, int] = field(default_factory=dict)

    def product_id(self, path: str) -> str:
        """ "product-<group id>". Raises `KeyError` for an unknown product."""
        return f"product-{self.products[path]}"

    def repository_id(self, name: str) -> str:
        """ "repo-<project id>". Raises `KeyError` for an unknown repository.

        A stored name that `repository` could not translate stays what it is: one reference that leads nowhere must not
        keep the rest of a product from being written.
        """
        if name not in self.repositories and re.fullmatch(STORED_REPOSITORY, name):
            return name
        return f"repo-{self.repositories[name]}"

    def product(self, stored: str) -> str:
        """Path of a stored product name; the stored name itself when it is not known."""
        return next((path for path, number in self.products.items() if f"product-{number}" == stored), stored)

    def repository(self, stored: str) -> str:
        """Name of a stored repository name; the stored name itself when it is not known."""
        return next((name for name, number in self.repositories.items() if f"repo-{number}" == stored), stored)
