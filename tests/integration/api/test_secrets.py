"""What is secret stays so: not in answers, not in what the command line prints, not in the logs of the platform."""

from __future__ import annotations

from nautes_sandbox.scenario import Scenario
from tests.integration import secrets
from tests.integration.api.support import Cli, Delivery, document

WRONG_TOKEN = "glpat-wrong-and-never-shown-42"
PASSWORD = "a-password-nobody-may-read-4711"


def _provoked(shop: Scenario) -> list[str]:
    """Answers to requests that carry secrets where they are wrong."""
    cluster = {"name": "c", "apiServer": "https://192.0.2.1", "clusterType": "physical", "usage": "host"}
    bodies = [
        document("Cluster", **cluster, kubeconfig={"users": [PASSWORD]}),
        document("Cluster", **cluster, kubeconfig=PASSWORD, usages=1),
        document("Cluster", **{**cluster, "apiServer": f"https://root:{PASSWORD}@192.0.2.1"}, kubeconfig="{}"),
        document("Cluster", **cluster, kubeconfig=PASSWORD),
    ]
    answers = [shop.api("POST", "/api/v1/apply", "platform", content=each) for each in bodies]
    answers += [shop.api("POST", "/api/v1/clusters/c", "platform", json={"kubeconfig": [PASSWORD]})]
    answers += [
        shop.api("GET", "/api/v1/products", None, headers={name: value})
        for name, value in (
            ("Authorization", f"Bearer {WRONG_TOKEN}"),
            ("Authorization", f"Basic {WRONG_TOKEN}"),
            ("PRIVATE-TOKEN", WRONG_TOKEN),
        )
    ]
    delivery = Delivery.of(shop, "shop/deploy")
    answers += [delivery.send(b"{"), delivery.send(**{"webhook-signature": "", "X-Gitlab-Token": WRONG_TOKEN})]
    assert all(400 <= each.status_code < 500 for each in answers)
    return [each.text for each in answers]


def test_errors_never_show_what_is_secret(shop: Scenario) -> None:
    known = {**secrets.of(shop), "password": PASSWORD, "wrong token": WRONG_TOKEN}
    for text in _provoked(shop):
        assert secrets.within(text, known) == []


def test_clusters_are_shown_without_their_kubeconfigs(shop: Scenario, cli: Cli) -> None:
    known = secrets.of(shop)
    shown = [cli("platform", "get", "clusters", "-o", form).out for form in ("json", "yaml", "wide")]
    shown += [
        shop.api("GET", f"/api/v1/{each}", "platform").text for each in ("clusters/deploy", "clusters/deploy/status")
    ]
    for text in shown:
        assert "deploy" in text
        assert secrets.within(text, known) == []


def test_logs_of_the_platform_hold_no_secret(shop: Scenario) -> None:
    _provoked(shop)
    known = {**secrets.of(shop), "password": PASSWORD, "wrong token": WRONG_TOKEN}
    for name in ("api", "worker"):
        log = shop.world.supervisor.log(name).read_text(errors="replace")
        assert secrets.within(log, known) == []
    assert "Traceback" not in shop.world.supervisor.log("api").read_text(errors="replace")
