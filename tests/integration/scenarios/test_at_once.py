"""Many changes at once: nothing is lost, no product waits for another, and errors of GitLab only make it slower."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from nautes_sandbox.actions import quoted
from nautes_sandbox.scenario import Scenario
from tests.integration.scenarios.support import change, done, joined, listed, made, project

TIMES = 25  # per person: fifty changes


def _commits(story: Scenario, of: str) -> list[str]:
    path = f"/projects/{quoted(f'{of}/default.project')}/repository/commits?per_page=100"
    return [each["title"] for each in story.gitlab(path)]


def test_two_people_change_one_product_fifty_times(story: Scenario) -> None:
    of = made(story, "busy")
    joined(story, "ada", of, 40)
    before = len(_commits(story, of))

    def work(who: str) -> list[str]:
        names = [f"{who}-{index}" for index in range(TIMES)]
        for name in names:
            assert done(change(story, who, project(name, of))) == {f"Project/{name}": "created"}
        return names

    with ThreadPoolExecutor(2) as pool:
        wanted = {name for names in pool.map(work, ("team", "ada")) for name in names}
    assert listed(story, of, "projects") == wanted
    assert len(_commits(story, of)) == before + 2 * TIMES
    assert len(set(_commits(story, of))) == len(_commits(story, of))


def test_a_product_does_not_wait_for_another_one(story: Scenario) -> None:
    slow, quick = made(story, "slow"), made(story, "quick", who="ben")
    crowd = [project(f"p{index}", slow) for index in range(20)]
    with ThreadPoolExecutor(len(crowd) + 1) as pool:
        waiting = [pool.submit(change, story, "team", each) for each in crowd]
        began = time.monotonic()
        assert done(change(story, "ben", project("web", quick))) == {"Project/web": "created"}
        took = time.monotonic() - began
        left = sum(not each.done() for each in waiting)
        for each in waiting:
            done(each.result())
    assert left > len(crowd) / 2, f"the other product's queue was empty before ({took:.2f} s)"


def test_fifty_changes_to_ten_products_while_gitlab_stumbles(story: Scenario) -> None:
    products = [made(story, "stumble") for _ in range(10)]
    before = {of: len(_commits(story, of)) for of in products}
    # A 429 asks for a second, and all of the platform's calls wait for it.
    story.faults({"every": "40", "status": "429,502", "user": "*"})
    try:
        with ThreadPoolExecutor(10) as pool:
            jobs = [(of, f"p{index}") for of in products for index in range(5)]
            answers = list(pool.map(lambda job: _until_taken(story, job[0], job[1]), jobs))
    finally:
        story.faults({"every": "0"})
    assert [done(each) for each in answers] == [{f"Project/{name}": "created"} for _, name in jobs]
    assert all(listed(story, of, "projects") == {f"p{index}" for index in range(5)} for of in products)
    assert all(len(_commits(story, of)) == before[of] + 5 for of in products)


def _until_taken(story: Scenario, of: str, name: str) -> object:
    """The API authenticates at GitLab: when that fails it answers 503, and the caller retries; so it does for one under way."""
    headers = {"Idempotency-Key": f"{of}-{name}"}
    while True:
        answer = story.api(
            "POST", "/api/v1/apply", "team", content=project(name, of), params={"wait": 30}, headers=headers
        )
        if answer.status_code not in (202, 503):
            return answer
