"""What a request says about itself and its declaration, before anything else is looked at."""

from __future__ import annotations

import pytest

from nautes.planning.request import Intent, Request, too_visible
from nautes.resources.declaration import Declaration
from nautes.resources.product import CodeRepo, Git, GitLabSettings, Product


def _settings(visibility: str) -> Git:
    return Git(gitlab=GitLabSettings.model_validate({"visibility": visibility}))


def _refused(group: str | None, product: str | None, repository: str) -> list[str]:
    """What is refused of a repository in the group that is there, or in the one that is asked for."""
    code = CodeRepo(name="code", product="shop", project="web", git=_settings(repository))
    asked = [code] if product is None else [Product(name="shop", git=_settings(product)), code]
    there = {"visibility": group} if group else None
    intent = Intent(Request("shop", "apply", [*asked]), Declaration("shop", 1 if group else 0), there, [])
    return [each.resource for each in too_visible(intent)]


@pytest.mark.parametrize(
    ("group", "product", "repository", "refused"),
    [
        ("private", None, "public", True),
        ("internal", None, "public", True),
        ("public", None, "public", False),
        ("public", None, "", False),
        ("private", None, "private", False),
        (None, "", "public", True),
        (None, "public", "public", False),
        ("private", "public", "public", False),
        ("public", "private", "public", True),
    ],
)
def test_a_repository_is_not_more_visible_than_its_group(
    group: str | None, product: str | None, repository: str, refused: bool
) -> None:
    assert _refused(group, product, repository) == (["CodeRepo/code"] if refused else [])
