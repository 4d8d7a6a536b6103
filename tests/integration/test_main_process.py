"""The main process through the public API, the command line and plain Git, on real servers.

The steps build on each other: they are one story told in order, in one world. What is asked of the world on the way (no
secret in any history, every history replays) stands where there is most to look at.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nautes_sandbox.journey import Journey
from nautes_sandbox.world import World
from tests.integration import histories, secrets


@pytest.fixture(scope="module")
def journey(world: World) -> Iterator[Journey]:
    found = Journey(world)
    yield found
    found.close()


def test_install_prepares_vault_and_the_tenant_repository(journey: Journey) -> None:
    journey.install()


def test_starting_twice_changes_nothing(journey: Journey) -> None:
    running, before = journey.world.supervisor.running(), journey.world.calls()
    journey.world.up()
    after = journey.world.calls()
    assert journey.world.supervisor.running() == running
    assert {each: after[each] for each in after if each.endswith("writes")} == {
        each: before[each] for each in before if each.endswith("writes")
    }


def test_clusters_are_registered(journey: Journey) -> None:
    journey.register_clusters()


def test_a_product_is_initialized_with_one_commit(journey: Journey) -> None:
    journey.initialize_product()


def test_a_push_is_deployed(journey: Journey) -> None:
    journey.deploy()


def test_one_changed_object_is_one_write(journey: Journey) -> None:
    journey.change_one()


def test_a_removed_file_prunes_its_object(journey: Journey) -> None:
    journey.prune()


def test_a_manifest_for_another_namespace_is_refused_and_the_rest_converges(journey: Journey) -> None:
    journey.refuse_foreign()


def test_a_hand_edit_is_put_back(journey: Journey) -> None:
    journey.correct_drift()


def test_a_push_whose_webhook_is_lost_is_deployed(journey: Journey) -> None:
    journey.lose_webhook()


def test_a_push_of_source_code_runs_the_pipeline(journey: Journey) -> None:
    journey.run_pipeline()


def test_a_broken_build_says_so_in_gitlab(journey: Journey) -> None:
    journey.break_build()


def test_status_explain_and_wait_tell_how_it_stands(journey: Journey) -> None:
    journey.view()


async def test_no_history_and_no_log_holds_a_secret(journey: Journey) -> None:
    known = secrets.of(journey)
    found = await histories.of(journey.world.temporal_address)
    assert {each.kind for each in found} >= {"Tenant", "Cluster", "Registration", "Product", "Change", "Deployment"}
    leaks = [f"{each.id}: {name}" for each in found for name in secrets.within(each.text, known)]
    for log in ("worker", "api", "temporal"):
        text = journey.world.supervisor.log(log).read_text(errors="replace")
        leaks += [f"{log}.log: {name}" for name in secrets.within(text, known)]
    assert leaks == []


async def test_every_history_replays(journey: Journey) -> None:
    await histories.replay(await histories.of(journey.world.temporal_address))


def test_all_of_temporals_data_may_be_lost(journey: Journey) -> None:
    journey.lose_memory()


def test_a_push_after_the_loss_is_deployed(journey: Journey) -> None:
    journey.greet("after the loss")


def test_the_product_is_removed_without_trace(journey: Journey) -> None:
    journey.destroy()
    assert secrets.left_in_vault(journey) == []


def test_the_clusters_are_removed(journey: Journey) -> None:
    journey.unregister()
