"""The mapping between what people write (paths) and what is stored (ids): shop <-> product-7, deploy <-> repo-3.

A repository of the own product is written by its name, one of another product by its full path: other/lib <-> repo-17.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

STORED_REPOSITORY = r"repo-[0-9]{1,18}"
STORED_PRODUCT = r"product-[0-9]{1,18}"


def is_foreign(repository: str) -> bool:
    """Whether a repository is named by its full path, as those of other products are."""
    return "/" in repository


def owner_of(repository: str, product: str) -> str:
    """The product that owns a repository which a resource of `product` names."""
    return repository.rpartition("/")[0] if is_foreign(repository) else product


@dataclass(frozen=True)
class Names:
    """`products` maps full paths to group ids, `repositories` names and full paths to project ids."""

    products: Mapping[str, int] = field(default_factory=dict)
    repositories: Mapping[str, int] = field(default_factory=dict)

    def product_id(self, path: str) -> str:
        """ "product-<group id>". Raises `KeyError` for an unknown product; a stored name stays what it is."""
        if path not in self.products and re.fullmatch(STORED_PRODUCT, path):
            return path
        return f"product-{self.products[path]}"

    def repository_id(self, name: str) -> str:
        """ "repo-<project id>". Raises `KeyError` for an unknown repository.

        A stored name that `repository` could not translate stays as it is: one dangling reference must not
        keep the rest of a product from being written.
        """
        if name not in self.repositories and re.fullmatch(STORED_REPOSITORY, name):
            return name
        return f"repo-{self.repositories[name]}"

    def product(self, stored: str) -> str:
        """Path of a stored product name; the stored name itself when it is not known."""
        return self._products.get(stored, stored)

    def repository(self, stored: str) -> str:
        """Name of a stored repository name; the stored name itself when it is not known."""
        return self._repositories.get(stored, stored)

    @cached_property
    def _products(self) -> dict[str, str]:
        return {f"product-{number}": path for path, number in self.products.items()}

    @cached_property
    def _repositories(self) -> dict[str, str]:
        """The own name of a repository takes precedence over its full path."""
        by_path = sorted(self.repositories.items(), key=lambda each: not is_foreign(each[0]))
        return {f"repo-{number}": name for name, number in by_path}
