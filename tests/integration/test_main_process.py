"""The main process through the public API, the command line and plain Git, on real servers.

The steps build on each other: they are one story told in order, in one world (fixture `journey`).
"""

from __future__ import annotations

import pytest

from sandbox.journey import Journey

pytestmark = pytest.mark.xdist_group("main-process")


def test_install_prepares_vault_and_the_tenant_repository(journey: Journey) -> None:
    journey.install()


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


def test_the_product_is_removed_without_trace(journey: Journey) -> None:
    journey.destroy()


def test_the_clusters_are_removed(journey: Journey) -> None:
    journey.unregister()
