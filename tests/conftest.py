"""For all tests: an embedded world ends when the last test of its group does, and not with the session."""

from __future__ import annotations

import pytest

from tests import worlds


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Worlds that nobody needs any more would go on sweeping beside the tests that follow."""
    if nextitem is None or _group(item) != _group(nextitem):
        worlds.end_all()


def _group(item: pytest.Item) -> str:
    mark = item.get_closest_marker("xdist_group")
    return str(mark.args[0]) if mark else item.nodeid
