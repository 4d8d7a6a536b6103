"""Pushes on their way from a product to those who follow its repositories: in order for each, side by side for all.

Used by workflows/product.py. It holds data and waits for nothing; what is left is carried into the product's next run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from nautes.messages.gitlab import Push
    from nautes.messages.products import Watch
    from workflows.product_state import Undelivered


class Outbox:
    """Pushes in the order in which they came, each with the watchers (ids of workflows) that have not heard of it.

    Its length is the number of deliveries that are left.
    """

    def __init__(self, left: Sequence[Undelivered] = ()) -> None:
        self._left = list(left)

    def __len__(self) -> int:
        return sum(len(each.workflows) for each in self._left)

    def add(self, watches: Sequence[Watch], push: Push) -> None:
        """A push for everybody who follows its repository."""
        watchers = dict.fromkeys(each.workflow for each in watches if each.project_id == push.project_id)
        if watchers:
            self._left.append(Undelivered(push=push, workflows=list(watchers)))

    def next(self, limit: int) -> dict[str, Push]:
        """Watcher -> the oldest push it has not heard of, for those who have waited longest."""
        found: dict[str, Push] = {}
        for each in self._left:
            for watcher in each.workflows:
                if len(found) < limit:
                    found.setdefault(watcher, each.push)
        return found

    def delivered(self, heard: Mapping[str, Push]) -> None:
        """Forget what `next` gave: these watchers have heard it."""
        rest = [(each.push, [who for who in each.workflows if heard.get(who) != each.push]) for each in self._left]
        self._left = [Undelivered(push=push, workflows=watchers) for push, watchers in rest if watchers]

    def left(self) -> list[Undelivered]:
        """What an outbox of the next run is made of."""
        return list(self._left)
