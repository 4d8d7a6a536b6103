"""Accounts: what each namespace gets, tokens, and who they stand for."""

from __future__ import annotations

import base64
import json
from typing import Any

from nautes_sandbox.kubernetes import Cluster
from nautes_sandbox.kubernetes.real import ISSUER
from tests.contract.kubernetes.support import Api, Object, Space, config, gone, refused
from tests.waiting import until

REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def review(api: Api, token: str, **more: Any) -> Object:
    return dict(api.create(REVIEWS, {"spec": {"token": token, **more}})["status"])


def requested(space: Space, name: str = "web", **spec: Any) -> str:
    """A token of an account, which is made first."""
    made = space.api.call("POST", space.path("serviceaccounts"), {"metadata": {"name": name}})
    assert made.status_code in (201, 409)
    answer = space.api.create(f"{space.path('serviceaccounts', name)}/token", {"spec": spec})
    return str(answer["status"]["token"])


def secret_of(space: Space, name: str = "web") -> Object:
    """The Secret with an account's token, once it is filled."""
    space.api.create(space.path("serviceaccounts"), {"metadata": {"name": name}})
    annotations = {"kubernetes.io/service-account.name": name}
    item = {"metadata": {"name": "token", "annotations": annotations}, "type": "kubernetes.io/service-account-token"}
    space.api.create(space.path("secrets"), item)

    def filled() -> Object:
        found = space.api.get(space.path("secrets", "token"))
        return found if "token" in (found.get("data") or {}) else {}

    return dict(until(filled, "the token is in its Secret"))


def test_each_namespace_gets_an_account_and_the_authority(space: Space, cluster: Cluster) -> None:
    until(lambda: not gone(space.api, space.path("serviceaccounts", "default")), "there is an account")
    until(lambda: not gone(space.api, space.maps("kube-root-ca.crt")), "there is the authority's certificate")
    found = space.api.get(space.maps("kube-root-ca.crt"))["data"]["ca.crt"]
    assert found.strip() == cluster.kubeconfig.with_name("ca.crt").read_text().strip()


def test_what_each_namespace_gets_comes_back(space: Space) -> None:
    path = space.path("serviceaccounts", "default")
    until(lambda: not gone(space.api, path), "there is an account")
    first = space.api.get(path)["metadata"]["uid"]
    space.api.delete(path)

    def another() -> bool:
        answer = space.api.call("GET", path)
        return bool(answer.status_code == 200 and answer.json()["metadata"]["uid"] != first)

    until(another, "there is another account")


def test_a_requested_token_says_whose_it_is(space: Space) -> None:
    found = claims(requested(space, audiences=["vault", "other"], expirationSeconds=1200))
    account = space.api.get(space.path("serviceaccounts", "web"))["metadata"]
    assert (found["iss"], found["aud"]) == (ISSUER, ["vault", "other"])
    assert found["sub"] == f"system:serviceaccount:{space.name}:web"
    assert found["exp"] - found["iat"] == 1200
    assert found["kubernetes.io"]["namespace"] == space.name
    assert found["kubernetes.io"]["serviceaccount"] == {"name": "web", "uid": account["uid"]}


def test_a_token_that_lives_too_short_is_refused(space: Space) -> None:
    space.api.create(space.path("serviceaccounts"), {"metadata": {"name": "web"}})
    body = {"spec": {"expirationSeconds": 10}}
    answer = space.api.call("POST", f"{space.path('serviceaccounts', 'web')}/token", body)
    assert refused(answer) == (422, "Invalid")


def test_nobody_gets_a_token_of_an_account_that_is_not_there(space: Space) -> None:
    answer = space.api.call("POST", f"{space.path('serviceaccounts', 'nobody')}/token", {"spec": {}})
    assert refused(answer) == (404, "NotFound")


def test_a_token_is_reviewed(space: Space) -> None:
    found = review(space.api, requested(space))
    account = space.api.get(space.path("serviceaccounts", "web"))["metadata"]
    assert found["authenticated"] is True
    assert (found["user"]["username"], found["user"]["uid"]) == (
        f"system:serviceaccount:{space.name}:web",
        account["uid"],
    )
    assert {"system:serviceaccounts", f"system:serviceaccounts:{space.name}"} <= set(found["user"]["groups"])


def test_a_token_for_others_is_no_token_for_us(space: Space) -> None:
    token = requested(space, audiences=["vault"])
    assert not review(space.api, token).get("authenticated")
    assert review(space.api, token, audiences=["vault", "x"])["audiences"] == ["vault"]
    assert refused(Api(space.api.kubeconfig, token).call("GET", space.maps())) == (401, "Unauthorized")


def test_a_token_ends_with_its_account(space: Space) -> None:
    token = requested(space)
    space.api.delete(space.path("serviceaccounts", "web"))
    until(lambda: not review(space.api, token).get("authenticated"), "the token is no good")
    again = requested(space)
    assert review(space.api, again)["authenticated"]
    assert not review(space.api, token).get("authenticated")


def test_a_token_that_was_tampered_with_is_no_good(space: Space) -> None:
    head, _, signature = requested(space).split(".")
    other = base64.urlsafe_b64encode(json.dumps({"iss": ISSUER, "sub": "admin"}).encode()).decode().rstrip("=")
    for token in (f"{head}.{other}.{signature}", "nonsense"):
        assert not review(space.api, token).get("authenticated")


def test_a_secret_that_asks_for_a_token_gets_one(space: Space, cluster: Cluster) -> None:
    found = secret_of(space)
    data = {key: base64.b64decode(value).decode() for key, value in found["data"].items()}
    assert data["namespace"] == space.name
    assert data["ca.crt"].strip() == cluster.kubeconfig.with_name("ca.crt").read_text().strip()
    uid = space.api.get(space.path("serviceaccounts", "web"))["metadata"]["uid"]
    assert found["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == uid
    assert review(space.api, data["token"])["user"]["username"] == f"system:serviceaccount:{space.name}:web"
    assert claims(data["token"])["iss"] == "kubernetes/serviceaccount"


def test_a_secret_with_a_token_goes_with_its_account(space: Space) -> None:
    token = base64.b64decode(secret_of(space)["data"]["token"]).decode()
    space.api.delete(space.path("serviceaccounts", "web"))
    until(lambda: gone(space.api, space.path("secrets", "token")), "the Secret is gone")
    assert not review(space.api, token).get("authenticated")


def test_a_token_in_a_secret_ends_with_the_secret(space: Space) -> None:
    token = base64.b64decode(secret_of(space)["data"]["token"]).decode()
    space.api.delete(space.path("secrets", "token"))
    until(lambda: not review(space.api, token).get("authenticated"), "the token is no good")


def test_an_account_with_rights_works_with_its_token(space: Space) -> None:
    token = requested(space)
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "web"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": space.name}],
    }
    space.api.create(space.path("rolebindings", group=f"{group}/v1"), binding)
    account = Api(space.api.kubeconfig, token)
    until(lambda: account.call("GET", space.maps()).status_code == 200, "the rights are known")
    assert account.create(space.maps(), config("a"))["data"] == {"k": "1"}


def test_nobody_we_know_gets_nothing(api: Api) -> None:
    assert refused(Api(api.kubeconfig, "wrong").call("GET", "/api/v1/namespaces")) == (401, "Unauthorized")
    assert Api(api.kubeconfig, "").call("GET", "/api/v1/namespaces").status_code in (401, 403)


def test_the_administrator_may_do_everything(api: Api) -> None:
    attributes = {"verb": "*", "group": "*", "resource": "*"}
    item = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    answer = api.create(ACCESS, {**item, "spec": {"resourceAttributes": attributes}})
    assert answer["status"]["allowed"] is True
