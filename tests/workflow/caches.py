"""The mark of tests that run with a cache and without."""

from __future__ import annotations

import pytest

both_caches = pytest.mark.parametrize("platform", [1000, 0], indirect=True, ids=["cached", "replayed"])
