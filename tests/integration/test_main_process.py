"""The main process through the public API, the command line and plain Git, on real servers.

The steps build on each other: they are one story told in order, in one world. What is asked of the world on the way (no
secret in any history, every history replays) stands where there is most to look at.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nautes_sandbox.scenario import Scenario
from nautes_sandbox.world import World
from tests.integration import histories, secrets


@pytest.fixture(scope="module")
def scenario(world: World) -> Iterator[Scenario]:
    found = Scenario(world)
    yield found
    found.close()


def test_install_prepares_vault_and_the_tenant_repository(scenario: Scenario) -> None:
    scenario.install()


def test_starting_twice_changes_nothing(scenario: Scenario) -> None:
    running, before = scenario.world.supervisor.running(), scenario.world.calls()
    scenario.world.up()
    after = scenario.world.calls()
    assert scenario.world.supervisor.running() == running
    assert {each: after[each] for each in after if each.endswith("writes")} == {
        each: before[each] for each in before if each.endswith("writes")
    }


def test_clusters_are_registered(scenario: Scenario) -> None:
    scenario.register_clusters()


def test_a_product_is_initialized_with_one_commit(scenario: Scenario) -> None:
    scenario.initialize_product()


def test_a_push_is_deployed(scenario: Scenario) -> None:
    scenario.deploy()


def test_one_changed_object_is_one_write(scenario: Scenario) -> None:
    scenario.change_one()


def test_a_removed_file_prunes_its_object(scenario: Scenario) -> None:
    scenario.prune()


def test_a_manifest_for_another_namespace_is_refused_and_the_rest_converges(scenario: Scenario) -> None:
    scenario.refuse_foreign()


def test_a_hand_edit_is_put_back(scenario: Scenario) -> None:
    scenario.correct_drift()


def test_a_push_whose_webhook_is_lost_is_deployed(scenario: Scenario) -> None:
    scenario.lose_webhook()


def test_a_push_of_source_code_runs_the_pipeline(scenario: Scenario) -> None:
    scenario.run_pipeline()


def test_a_broken_build_says_so_in_gitlab(scenario: Scenario) -> None:
    scenario.break_build()


def test_status_explain_and_wait_tell_how_it_stands(scenario: Scenario) -> None:
    scenario.view()


async def test_no_history_and_no_log_holds_a_secret(scenario: Scenario) -> None:
    known = secrets.of(scenario)
    found = await histories.of(scenario.world.temporal_address)
    assert {each.kind for each in found} >= {"Tenant", "Cluster", "Registration", "Product", "Change", "Deployment"}
    leaks = [f"{each.id}: {name}" for each in found for name in secrets.within(each.text, known)]
    for log in ("worker", "api", "temporal"):
        text = scenario.world.supervisor.log(log).read_text(errors="replace")
        leaks += [f"{log}.log: {name}" for name in secrets.within(text, known)]
    assert leaks == []


async def test_every_history_replays(scenario: Scenario) -> None:
    await histories.replay(await histories.of(scenario.world.temporal_address))


def test_all_of_temporals_data_may_be_lost(scenario: Scenario) -> None:
    scenario.lose_memory()


def test_a_push_after_the_loss_is_deployed(scenario: Scenario) -> None:
    scenario.greet("after the loss")


def test_the_product_is_removed_without_trace(scenario: Scenario) -> None:
    scenario.destroy()
    assert secrets.left_in_vault(scenario) == []


def test_the_clusters_are_removed(scenario: Scenario) -> None:
    scenario.unregister()
