"""The eighteen scenarios of the reference (nautes-api 9.1), each with the outcome that is required of us, by their letters."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import yaml

from nautes_sandbox.actions import quoted
from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import Cli, document, joined, nothing_written, problem, product, together
from tests.integration.scenarios.support import (
    binding,
    change,
    deployment,
    done,
    environment,
    findings,
    keys,
    listed,
    made,
    number,
    project,
    repository,
    unique,
)
from tests.waiting import until

INPUTS = [
    {"source": {"builtInVar": "revision"}, "transmissionMethod": {"kustomization": {"path": "/spec/params/0/value"}}},
    {"source": {"fromEvent": "body.ref"}, "transmissionMethod": {"kustomization": {"path": "/spec/params/1/value"}}},
]


def _pipeline(name: str, of: str, namespace: str, **spec: Any) -> str:
    fields = {
        "project": "web",
        "pipelineSource": "source",
        "pipelines": [{"name": "main", "path": "build.yaml"}],
        "destination": {"environment": "build", "namespace": namespace},
        "eventSources": [{"name": "push", "gitlab": {"repoName": "source", "events": ["push_events"]}}],
        "pipelineTriggers": [{"eventSource": "push", "pipeline": "main"}],
        "isolation": "shared",
    }
    return document("ProjectPipelineRuntime", name=name, product=of, **{**fields, **spec})


def test_a_two_people_save_different_environments_of_one_product_at_once(story: Scenario) -> None:
    of = made(story, "two")
    joined(story, "ada", of, 40)
    one = environment("test", story.deploy_cluster, of)
    other = environment("build", story.pipeline_cluster, of)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda pair: change(story, *pair), (("team", one), ("ada", other)))
    assert done(first) == {"Environment/test": "created"}
    assert done(second) == {"Environment/build": "created"}
    assert listed(story, of, "environments") == {"test", "build"}


def test_b_two_people_save_different_products_at_once(story: Scenario) -> None:
    mine, theirs = made(story, "mine", who="ada"), made(story, "theirs", who="ben")
    with ThreadPoolExecutor(2) as pool:
        pairs = (("ada", project("web", mine)), ("ben", project("app", theirs)))
        answers = list(pool.map(lambda pair: change(story, *pair), pairs))
    assert [done(each) for each in answers] == [{"Project/web": "created"}, {"Project/app": "created"}]
    assert (listed(story, mine, "projects", "ada"), listed(story, theirs, "projects", "ben")) == ({"web"}, {"app"})
    for of, who in ((mine, "ada"), (theirs, "ben")):
        newest = story.gitlab(f"/projects/{quoted(f'{of}/default.project')}/repository/commits")[0]
        assert newest["author_email"] == f"{who}@example.invalid"


def test_c_a_developer_saves_a_code_repository(story: Scenario) -> None:
    of = made(story, "guarded")
    joined(story, "ben", of, 30)
    with nothing_written(story.world):
        answer = change(story, "ben", repository("code", of=of))
    refused = problem(answer, 403, "permission-missing")
    assert "default.project" in refused["detail"] or "Maintainer" in refused["detail"]
    assert story.gitlab_get(f"/projects/{quoted(f'{of}/code')}").status_code == 404


def test_d_vault_is_down_while_a_code_repository_is_saved(story: Scenario) -> None:
    of = made(story, "patient")
    story.world.kill("openbao")
    try:
        text = repository("code", of=of)
        answer = story.api("POST", "/api/v1/apply", "team", content=text, params={"wait": 0})
        assert answer.status_code == 202, answer.text
        where = answer.headers["location"]

        def retried() -> Any:
            return story.api("GET", where, "team").json().get("retry")

        waiting = until(retried, "the operation says what it waits for")
        assert "Vault" in waiting["error"]
    finally:
        story.world.up()
    ended = story.api("GET", where, "team", params={"wait": 60}).json()
    assert (ended["state"], [each["action"] for each in ended["outcomes"]]) == ("done", ["created"])
    own = number(story, f"{of}/code")
    assert set(keys(story, f"{of}/code")) == {f"repo-{own}-readonly", f"repo-{own}-readwrite"}


def test_e_a_binding_is_deleted_on_a_repository_without_project(story: Scenario) -> None:
    of = made(story, "closed", repository("deploy"), repository("source"), binding("open", "deploy"))
    guest = f"repo-{number(story, f'{of}/source')}-readonly"
    assert keys(story, f"{of}/deploy")[guest] is False
    done(change(story, "team", binding("open", "deploy", of=of), action="remove"))
    own = number(story, f"{of}/deploy")
    assert set(keys(story, f"{of}/deploy")) == {f"repo-{own}-readonly", f"repo-{own}-readwrite"}


def test_f_a_pipeline_runtime_with_inputs_reads_back_as_it_was_written(story: Scenario, cli: Cli) -> None:
    of = made(story, "inputs", project(), repository("source", "web"), environment("build", story.pipeline_cluster))
    trigger = {"eventSource": "push", "pipeline": "main", "revision": "main", "inputs": INPUTS}
    done(change(story, "team", _pipeline("build", of, f"{of}-ci", pipelineTriggers=[trigger])))
    found = story.api("GET", f"/api/v1/products/{of}/projectpipelineruntimes/build", "team").json()
    assert found["pipeline_triggers"][0]["inputs"] == [
        {
            "source": {"built_in_var": "revision", "from_event": None},
            "transmission_method": {"kustomization": {"path": "/spec/params/0/value"}},
        },
        {
            "source": {"built_in_var": None, "from_event": "body.ref"},
            "transmission_method": {"kustomization": {"path": "/spec/params/1/value"}},
        },
    ]
    ended = cli("team", "get", "ppr", "-p", of, "-o", "json")
    assert (ended.code, [each["name"] for each in json.loads(ended.out)["items"]]) == (0, ["build"])


def test_g_a_project_named_production_is_refused_by_a_clear_rule(story: Scenario) -> None:
    of = made(story, "layout")
    answer = change(story, "team", project("production", of))
    assert findings(answer) == {"project-name"}
    assert "production" in answer.json()["detail"]


def test_h_an_environment_right_after_its_cluster_is_registered(story: Scenario) -> None:
    of, name = made(story, "eager"), unique("fresh")
    text = yaml.safe_load(story.world.kubeconfig_to_register("deploy"))
    cluster = document(
        "Cluster",
        name=name,
        apiServer=text["clusters"][0]["cluster"]["server"],
        clusterType="physical",
        usage="worker",
        workerType="deployment",
        kubeconfig=yaml.safe_dump(text),
    )
    assert story.api("POST", "/api/v1/apply", "platform", content=cluster, params={"wait": 0}).status_code in (200, 202)
    answers = []

    def accepted() -> bool:
        answers.append(change(story, "team", environment("soon", name, of)))
        return answers[-1].status_code == 200

    until(accepted, "the cluster's manifest is in the tenant repository")
    assert done(answers[-1]) == {"Environment/soon": "created"}
    done(change(story, "team", environment("soon", name, of), action="remove"))
    done(change(story, "platform", cluster, action="remove"))


def _in_use(story: Scenario) -> str:
    return made(story, "user", environment("test", story.deploy_cluster))


def test_i_the_type_of_a_cluster_in_use_is_not_changed(story: Scenario) -> None:
    of = _in_use(story)
    found = story.api("GET", f"/api/v1/clusters/{story.deploy_cluster}", "platform").json()
    spec = {
        "name": story.deploy_cluster,
        "apiServer": found["api_server"],
        "clusterType": "physical",
        "usage": "worker",
        "workerType": "pipeline",
    }
    answer = change(story, "platform", document("Cluster", **spec))
    assert "cluster-frozen" in findings(answer)
    assert of in answer.text
    kept = story.api("GET", f"/api/v1/clusters/{story.deploy_cluster}", "platform").json()
    assert kept["worker_type"] == "deployment"


def test_j_a_cluster_in_use_is_not_deleted(story: Scenario) -> None:
    of = _in_use(story)
    answer = story.api("DELETE", f"/api/v1/clusters/{story.deploy_cluster}", "platform", params={"wait": 60})
    assert "cluster-in-use" in findings(answer)
    assert of in answer.text
    ready = story.api("GET", f"/api/v1/clusters/{story.deploy_cluster}/status", "platform").json()
    assert ready["phase"] == "Ready"


def test_k_a_product_that_holds_something_is_not_deleted(story: Scenario) -> None:
    of = made(story, "full", project(), environment("test", story.deploy_cluster))
    answer = story.api("DELETE", f"/api/v1/products/{of}", "team", params={"wait": 60})
    assert findings(answer) == {"product-in-use"}
    assert all(each in answer.text for each in ("Project/web", "Environment/test"))


def test_k_a_product_whose_group_holds_what_nobody_declared_is_not_deleted(story: Scenario) -> None:
    of = made(story, "crowded")
    parent = story.gitlab(f"/groups/{of}")["id"]
    story.gitlab_post("/groups", {"name": "sub", "path": "sub", "parent_id": parent})
    story.gitlab_post("/projects", {"name": "own", "path": "own", "namespace_id": parent})
    answer = story.api("DELETE", f"/api/v1/products/{of}", "team", params={"wait": 60})
    assert findings(answer) == {"product-in-use"}
    assert all(each in answer.text for each in (f"subgroup {of}/sub", f"project {of}/own"))


def test_l_a_repository_the_caller_cannot_see_is_not_deleted(story: Scenario) -> None:
    of = made(story, "secret", repository("code"))
    with nothing_written(story.world):
        answer = story.api("DELETE", f"/api/v1/products/{of}/coderepos/code", "stranger")
    problem(answer, 404, answer.json()["code"])
    assert number(story, f"{of}/code")


def test_m_an_orphan_in_one_product_does_not_stop_another(story: Scenario) -> None:
    orphan = document(
        "DeploymentRuntime",
        name="lost",
        product="$product",
        manifestSource={"codeRepo": "code", "targetRevision": "main", "path": "x"},
        destination={"environment": "nowhere"},
    )
    broken = made(story, "broken", repository("code"))
    change(story, "team", orphan.replace("$product", broken), insecure_skip_check=True)
    of = made(story, "sound", project(), repository("source", "web"), environment("build", story.pipeline_cluster))
    assert done(change(story, "team", _pipeline("build", of, f"{of}-ci"))) == {
        "ProjectPipelineRuntime/build": "created"
    }


def test_n_a_typo_in_a_manifest_is_refused_with_its_line(story: Scenario, cli: Cli) -> None:
    text = "kind: Project\nspec:\n  name: web\n  product: shop\n  langauge: python\n---\nkind: Projekt\nspec: {}\n"
    ended = cli("team", "apply", "-f", "-", stdin=text)
    assert ended.code == 1
    assert "standard input:5:3" in ended.err and "language" in ended.err
    assert "standard input:7:1" in ended.err and "Project" in ended.err


def test_o_a_repeated_apply_shows_what_is_unchanged(story: Scenario) -> None:
    of = unique("again")
    first = [product(of), project("web", of), repository("one", of=of)]
    assert set(done(change(story, "team", *first)).values()) == {"created"}
    again = done(change(story, "team", *first, repository("two", of=of)))
    assert again == {
        f"Product/{of}": "unchanged",
        "Project/web": "unchanged",
        "CodeRepo/one": "unchanged",
        "CodeRepo/two": "created",
    }
    with nothing_written(story.world):
        assert set(done(change(story, "team", *first, repository("two", of=of))).values()) == {"unchanged"}


def test_p_a_kubeconfig_with_three_dashes_inside_is_one_value(story: Scenario, cli: Cli) -> None:
    of, name = unique("dashes"), unique("pem")
    text = story.world.kubeconfig_to_register("deploy")
    pem = "-----BEGIN CERTIFICATE-----\n---\n-----END CERTIFICATE-----"
    kubeconfig = f"# {pem.splitlines()[0]}\n{text.rstrip()}\n# ---\n"
    server = yaml.safe_load(text)["clusters"][0]["cluster"]["server"]
    cluster = f"""kind: Cluster
spec:
  name: {name}
  apiServer: {server}
  clusterType: physical
  usage: worker
  workerType: deployment
  kubeconfig: |
{chr(10).join("    " + line for line in kubeconfig.splitlines())}
"""
    ended = cli("platform", "apply", "-f", "-", stdin=together(cluster, product(of)))
    assert ended.code == 0, ended.err
    assert f"Cluster/{name} created" in ended.out and f"Product/{of} created" in ended.out
    ended = cli("platform", "remove", "-f", "-", stdin=together(cluster, product(of)))
    assert ended.code == 0, ended.err


def test_q_a_runtime_without_projects_on_the_repository_of_a_project_is_an_explicit_rule(story: Scenario) -> None:
    of = made(
        story,
        "explicit",
        project(),
        repository("deploy", "web"),
        environment("test", story.deploy_cluster),
    )
    assert "deployment-projects" in findings(change(story, "team", deployment("live", "deploy", f"{of}-live", of)))
    named = deployment("live", "deploy", f"{of}-live", of, projectsRef=["web"])
    assert done(change(story, "team", named)) == {"DeploymentRuntime/live": "created"}


def test_r_paths_are_exact_numbers_nested_groups_and_display_names(story: Scenario) -> None:
    assert change(story, "team", product("4711")).status_code == 422
    parent = unique("parent")
    story.gitlab_post("/groups", {"name": parent, "path": parent})
    group = story.gitlab(f"/groups/{parent}")["id"]
    story.gitlab_post(f"/groups/{group}/members", {"user_id": story.people["team"].id, "access_level": 50})
    of = f"{parent}/{unique('child')}"
    fine = document("Product", name=of, git={"gitlab": {"name": "A fine name", "path": of.rpartition("/")[2]}})
    settings = {"name": "Shown so", "path": "code"}
    shown = document("CodeRepo", name="code", product=of, project="web", git={"gitlab": settings})
    documents = [fine, project("web", of), shown]
    assert set(done(change(story, "team", *documents)).values()) == {"created"}
    assert listed(story, of, "coderepos") == {"code"}
    one = story.api("GET", f"/api/v1/products/{quoted(of)}/coderepos/code", "team").json()
    assert one["git"]["gitlab"]["name"] == "Shown so"
    assert set(done(change(story, "team", *documents)).values()) == {"unchanged"}
    assert number(story, f"{of}/code")
