"""`nautes get|describe|status|explain|history`: declarations, status and history. Changes nothing."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from nautes.cli import kinds, options, show, tables, tree
from nautes.cli.busy import Busy
from nautes.cli.client import NOT_FOUND, USAGE, Api, CommandError

Listed = Annotated[
    Literal["wide", "json", "yaml", "name", "manifest"],
    typer.Option("-o", "--output", help="Format of the output; name: one per line; manifest: as `apply` takes it."),
]
SAID = 5  # operations that `describe` shows
LOOKED = 50  # entries of the timeline that `describe` looks through for them


def get(
    kind: options.Kind,
    names: Annotated[list[str] | None, typer.Argument(help="Only these.")] = None,
    product: options.Product = "",
    output: Listed = "wide",
    selector: Annotated[
        str,
        typer.Option(
            "-l", "--selector", metavar="KEY=VALUE", help="Only items with this value of a field; comma = and."
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=0, help="Maximum number of items; 0: all.")] = 0,
) -> None:
    """List resources, or runs."""
    plural = kinds.plural(kind)
    route = kinds.route(plural, product)
    query = {"field_selector": selector} if selector else {}
    if selector and plural == "runs":
        raise CommandError("runs are not selected by fields", USAGE)
    with Busy(f"get {plural}"):
        if names and plural in kinds.NAMES and not selector:
            items = _named(options.api(), plural, product, names)
        elif plural == "runs":
            items = [{"run": kinds.run_id(each), **each} for each in options.api().items(route, limit)]
        else:
            items = options.api().items(route, 0 if names else limit, **query)
    if names:
        items = [each for each in items if each.get("run", each.get("name")) in names]
        _require(plural, names, items)
    _print(plural, items[: limit or None], output)


def describe(
    what: Annotated[list[str], typer.Argument(help="run/<id>, or a kind and a name.")],
    product: options.Product = "",
    output: Annotated[Literal["yaml", "json"], typer.Option("-o", "--output", help="Format of the output.")] = "yaml",
) -> None:
    """Everything about one resource: its declaration, its status, the last operations on it; or one run."""
    if len(what) == 1 and what[0].startswith("run/"):
        found = options.api().get(f"/api/v1/runs/{quote(what[0])}")
    else:
        word, name = what if len(what) == 2 else what[0].partition("/")[::2]
        if len(what) > 2 or not name or word in kinds.KINDS["runs"]:
            raise CommandError("describe knows run/<id>, <kind>/<name> and <kind> <name>", USAGE)
        found = _described(options.api(), kinds.plural(word), product, name)
    show.data(found, output)


def status(
    product: Annotated[str, typer.Argument()] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also objects that are as declared.")] = False,
    output: options.Output = "wide",
) -> None:
    """The tree of a product: environments, runtimes, objects; only what is not healthy unless --all."""
    api = options.api()
    named = [product] if product else [each["name"] for each in api.items("/api/v1/products")]
    trees = []
    for each in named:
        try:
            with Busy(f"status of {each}"):
                trees.append(_tree(api, each))
        except CommandError as error:
            if product:
                raise
            show.err.print(show.plain(f"{each}: {error}"), markup=False)  # an error of one must not hide the others
    if output != "wide":
        show.data(trees[0] if product else trees, output)
        return
    for found in trees:
        tree.product_tree(found, everything=everything)
        if found["ui"]:
            show.line(f"Temporal UI: {found['ui']}")


def _tree(api: Api, product: str) -> dict[str, Any]:
    """The status of a product with all of its runtimes, page by page."""
    path = f"/api/v1/products/{kinds.quoted(product)}/status"
    found: dict[str, Any] = api.get(path)
    cursor = found.pop("next", None)
    while cursor:
        more = api.get(path, cursor=cursor)
        found["deployments"] += more["deployments"]
        found["pipelines"] += more["pipelines"]
        cursor = more["next"]
    return found


def explain(
    what: Annotated[str, typer.Argument(help="deployment/<product>/<name>")], product: options.Product = ""
) -> None:
    """Why is it not ready: one line."""
    kind, path, name = kinds.runtime(what, product)
    show.line(_explained(options.api(), kind, path, name)["line"])


def history(
    what: Annotated[str, typer.Argument(help="A product, or cluster/<name>.")] = "",
    product: options.Product = "",
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of entries, the newest first.")] = 20,
    output: options.Output = "wide",
) -> None:
    """What happened to a product or a cluster: who did what, when, and how it ended; newest first."""
    with Busy("history"):
        items = options.api().items(timeline(what, product), limit)
    if output == "wide":
        tables.table("history", items)
    else:
        show.data({"items": items}, output)


def timeline(what: str, product: str) -> str:
    """The path of a timeline. Raises `CommandError` when nothing is named."""
    word, _, name = what.partition("/")
    if name and word in (*kinds.KINDS["clusters"], "clusters"):
        return f"/api/v1/clusters/{kinds.quoted(name)}/timeline"
    path = what or product
    if not path:
        raise CommandError("name a product (or use -p), or cluster/<name>", USAGE)
    return f"/api/v1/products/{kinds.quoted(path)}/timeline"


def _named(api: Api, plural: str, product: str, names: list[str]) -> list[dict[str, Any]]:
    """Each of these; missing ones are left out, unless all are missing."""
    found = []
    for name in dict.fromkeys(names):
        each = _if_there(api, kinds.route(plural, product, name))
        if each is not None:
            found.append(each)
    if not found and plural not in kinds.ALONE:
        api.get(kinds.route(plural, product), limit=1)  # raises when the product itself does not exist
    return found


def _require(plural: str, names: list[str], items: list[dict[str, Any]]) -> None:
    missing = sorted({*names} - {each.get("run", each.get("name")) for each in items})
    if missing:
        raise CommandError(f"there is no {plural} {', '.join(missing)}")


def _print(plural: str, items: list[dict[str, Any]], output: str) -> None:
    if output == "wide":
        tables.table(plural, items)
    elif output == "name":
        for each in items:
            show.line(each["run"] if plural == "runs" else f"{kinds.NAMES[plural]}/{each['name']}")
    elif output == "manifest":
        if plural not in kinds.NAMES:
            raise CommandError(f"{plural} are not declared: they have no manifest", USAGE)
        from nautes.cli import manifests  # imports the models of all kinds, which no other format needs

        show.documents([manifests.of(kinds.NAMES[plural], each) for each in items])
    else:
        show.data({"items": items}, output)


def _described(api: Api, plural: str, product: str, name: str) -> dict[str, Any]:
    path = name if plural == "products" else product
    with Busy(f"describe {plural}"):
        found = {"resource": api.get(kinds.route(plural, product, name))}
        found |= _standing(api, plural, path, name)
        route = timeline(f"cluster/{name}" if plural == "clusters" else path, "")
        entries = (_if_there(api, route, limit=LOOKED) or {"items": []})["items"]
    key = f"{kinds.NAMES[plural]}/{name}"
    own = [
        each
        for each in entries
        if plural in kinds.ALONE or any(outcome["resource"] == key for outcome in each.get("outcomes", []))
    ]
    return {**found, "operations": own[:SAID]}


def _standing(api: Api, plural: str, product: str, name: str) -> dict[str, Any]:
    """The status, for kinds that have one."""
    if plural == "clusters":
        return {"status": _if_there(api, f"/api/v1/clusters/{kinds.quoted(name)}/status")}
    if kind := {"deploymentruntimes": "deployment", "projectpipelineruntimes": "pipeline"}.get(plural):
        path = f"{kinds.quoted(product)}/{kinds.quoted(name)}"
        why = _if_there(api, f"/api/v1/explain/{kind}/{path}")
        status_ = _if_there(api, f"{kinds.route(plural, product, name)}/status")
        return {"status": status_, "explanation": why and why["line"]}
    tree_ = _if_there(api, f"/api/v1/products/{kinds.quoted(product)}/status")
    if tree_ is None:
        return {"status": None}
    if plural == "products":
        return {"status": tree_["product"]}
    if plural == "environments":
        return {"runtimes": [each for each in tree_["product"]["runtimes"] if each["environment"] == name]}
    return {}


def _explained(api: Api, kind: str, product: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/api/v1/explain/{kind}/{kinds.quoted(product)}/{kinds.quoted(name)}")
    return found


def _if_there(api: Api, path: str, **query: Any) -> Any:
    """The answer, None when there is none."""
    try:
        return api.get(path, **query)
    except CommandError as error:
        if error.status == NOT_FOUND:
            return None
        raise
