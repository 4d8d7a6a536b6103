"""The kind Cluster: a runtime cluster that the platform team registers."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_serializer

from nautes.resources.base import Label, Model, OptionalLabel, Required, Resource, Text


def _http(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("must be an http(s) address without credentials, query or fragment")
    if parts.port == 0:  # reading it raises ValueError when it is no port
        raise ValueError("must not name port 0")
    return value


class Component(Model):
    """A component of a cluster: what fills a slot, and where it lives."""

    name: Required
    namespace: OptionalLabel = ""
    additions: dict[str, str] | None = None


class Components(Model):
    """The ten slots."""

    cert_management: Component | None = None
    deployment: Component | None = None
    event_listener: Component | None = None
    gateway: Component | None = None
    multi_tenant: Component | None = None
    pipeline: Component | None = None
    progressive_delivery: Component | None = None
    secret_management: Component | None = None
    secret_sync: Component | None = None
    oauth_proxy: Component | None = None

    def filled(self) -> dict[str, Component]:
        """Slot (as written in a manifest) -> component."""
        found = {field.alias or name: getattr(self, name) for name, field in type(self).model_fields.items()}
        return {slot: each for slot, each in found.items() if each is not None}


class ClusterResource(Model):
    """A cluster-scoped kind that a product may use."""

    kind: Required
    group: Text


class VirtualCluster(Model):
    """Settings of a virtual cluster."""

    https_node_port: Text = ""


class Cluster(Resource):
    """A host, a physical worker or a virtual worker. `kubeconfig` comes with a registration and is not kept."""

    kind: ClassVar[str] = "Cluster"
    name: Label
    api_server: Annotated[str, AfterValidator(_http)]
    cluster_kind: Literal["kubernetes"] = "kubernetes"
    cluster_type: Literal["physical", "virtual"]
    usage: Literal["host", "worker"]
    worker_type: Literal["", "pipeline", "deployment"] = ""
    host_cluster: Text = ""
    primary_domain: Text = ""
    components_list: Components = Field(default_factory=Components)
    reserved_namespaces_allowed_products: dict[str, list[str]] | None = None
    product_allowed_cluster_resources: dict[str, list[ClusterResource]] | None = None
    vcluster: VirtualCluster | None = None
    kubeconfig: SecretStr | None = None

    @field_serializer("kubeconfig")
    def _never(self, _: Any) -> None:
        return None

    def without_secrets(self) -> tuple[Cluster, str | None]:
        """The cluster as it may travel and be stored, and the kubeconfig that came with it."""
        secret = self.kubeconfig.get_secret_value() if self.kubeconfig else None
        return self.model_copy(update={"kubeconfig": None}), secret or None
