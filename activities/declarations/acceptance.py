"""What of a declaration's head takes effect, and who must be told: the look that follows every commit, ours or a person's.

Called by activities/products.py. A change's own resources are trusted (their rules have run); all else that is new is judged
resource by resource (rules/acceptance.py). Everything reported is a difference to what the product knows already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from activities.declarations import specifications
from activities.declarations.planning import Policy, repository_plan
from activities.declarations.worlds import Worlds
from blueprints import keys
from clients.declarations import Declaration, Declarations
from clients.gitlab import GitLab
from contracts import ids
from contracts.declarations import Agreement, Author, Known, RepositoryAccess
from contracts.errors import NotFound
from contracts.gitlab import KeyGrant
from contracts.operations import Outcome
from contracts.products import SyncOrder, SyncReport
from contracts.runtimes import DeploymentSpec, PipelineSpec
from resources.findings import Finding
from resources.names import Names
from resources.product import CodeRepo, Environment
from resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from resources.tree import ProductTree
from rules.acceptance import Pushed, Verdict, judge
from rules.engine import finding

CONFIRMED = "Nautes-Confirm-Deletions"  # trailer of a commit by which a person repeats the count of what goes


@dataclass(frozen=True)
class Look:
    """One look: the order, the declaration with what is in effect as its tree, and the verdict on what was pushed."""

    order: SyncOrder
    declaration: Declaration
    verdict: Verdict
    before: ProductTree
    registered: frozenset[str]  # clusters
    pushed: ProductTree  # what the commit holds, in effect or not

    @property
    def known(self) -> Known:
        """What the product knew before."""
        return self.order.known

    @property
    def tree(self) -> ProductTree:
        """What is in effect now."""
        return self.verdict.tree


class Acceptance:
    """Looks with the platform's own account; nothing is written."""

    def __init__(self, declarations: Declarations, gitlab: GitLab, policy: Policy) -> None:
        self._declarations = declarations
        self._gitlab = gitlab
        self._worlds = Worlds(declarations)
        self._policy = policy

    def look(self, order: SyncOrder) -> SyncReport:
        """The head against what is known."""
        declaration = self._declarations.product(order.product)
        if declaration.tree is None:  # no such product, or nothing to read in it: a branch that is gone deletes nothing
            exists = bool(declaration.group_id and declaration.project_id)
            kept = list(order.known.digests) if exists else []
            return SyncReport(exists=exists, project_id=declaration.project_id, known=order.known, kept=kept)
        look = self._judged(order, declaration)
        return self._report(look)

    def _judged(self, order: SyncOrder, declaration: Declaration) -> Look:
        effective = self._in_effect(declaration, order.known)
        before = effective.tree or ProductTree(declaration.path)
        old, new = self._worlds.of(before, declaration.tree or before)
        confirmed = self._declarations.about(declaration).trailer(CONFIRMED)
        pushed = Pushed(
            before=old,
            after=new,
            trusted=frozenset(order.trusted),
            confirmed=int(confirmed) if confirmed.isdecimal() and len(confirmed) < 6 else None,
            limits=self._policy.deletions,
            refused=tuple(self._foreign(order, declaration, before)),
        )
        verdict = judge(pushed)
        names = _names(declaration.names, effective.names, verdict.held)
        return Look(
            order,
            replace(declaration, tree=verdict.tree, names=names),
            verdict,
            before,
            frozenset(new.clusters),
            new.tree,
        )

    def _foreign(self, order: SyncOrder, declaration: Declaration, before: ProductTree) -> Iterable[Finding]:
        """A stored repository carries GitLab's id: whoever may push must not name a project of somebody else by it."""
        for each in declaration.tree.all(CodeRepo) if declaration.tree else []:
            if each.key in order.trusted or before.resources.get(each.key) == each:
                continue
            if self._gitlab.project_id(f"{declaration.path}/{each.name}") != declaration.names.repositories[each.name]:
                text = f"{each.key} is not stored under the id of {declaration.path}/{each.name}"
                yield finding("repository-id", each, text)

    def _in_effect(self, declaration: Declaration, known: Known) -> Declaration:
        """As it was accepted last: that commit, with what was held back then as it had been before."""
        found = self._at(declaration, known.accepted)
        tree = found.tree or ProductTree(declaration.path)
        names = found.names
        for key, commit in known.held.items():
            kept = self._at(declaration, commit)
            old = kept.tree.resources.get(key) if kept.tree else None
            tree = tree.apply([old]) if old else tree.remove([key])
            names = _names(names, kept.names, [key])
        return replace(found, tree=tree, names=names)

    def _at(self, declaration: Declaration, commit: str) -> Declaration:
        nothing = Declaration(declaration.path)
        try:
            return self._declarations.at(declaration, commit) if commit else nothing
        except NotFound:  # somebody rewrote the branch: nothing is known of before
            return nothing

    def _report(self, look: Look) -> SyncReport:
        declaration, known, tree = look.declaration, look.known, look.tree
        about = self._declarations.about(declaration)
        specs = list(_specifications(declaration, tree))
        digests = {specifications.workflow_of(each): specifications.digest(each) for each in specs}
        news = [each for each in specs if known.digests.get(_id(each)) != digests[_id(each)]]
        # Only what the commit itself does not hold any more goes: never what is there and not in effect.
        declared = {
            specifications.workflow(each) for part in (tree, look.pushed) for each in specifications.runtimes(part)
        }
        gone = [key for key in known.digests if key not in declared]
        kept = {key: known.digests[key] for key in known.digests if key not in digests and key not in gone}
        repositories = {each.name: declaration.names.repositories.get(each.name, 0) for each in tree.all(CodeRepo)}
        access, grants = _access(look)
        agreements = specifications.by_owner(specifications.agreements(tree, declaration))
        agreed = {owner: _digest(each) for owner, each in agreements.items()}
        standing = _clusters(tree)
        clusters = {name: each for name, each in standing.items() if name in look.registered}
        return SyncReport(
            exists=True,
            id=ids.product_name(declaration.group_id),
            project_id=declaration.project_id,
            commit=declaration.head,
            author=Author(name=about.author, email=about.email),
            known=known.model_copy(
                update={
                    "accepted": declaration.head,
                    "held": {key: _stays(key, look) for key in sorted(look.verdict.held)},
                    "digests": digests | kept,
                    "repositories": repositories,
                    "grants": grants,
                    "clusters": clusters,
                    "pending": clusters != standing,  # one that is not registered (yet) has nobody to be told
                    "agreed": agreed,
                }
            ),
            outcomes=list(_outcomes(look)),
            watches=list(specifications.watches(specs)),
            environments={each.name: each.cluster for each in tree.all(Environment)},
            runtimes=list(specifications.lines(tree)),
            deployments=[each for each in news if isinstance(each, DeploymentSpec)],
            pipelines=[each for each in news if isinstance(each, PipelineSpec)],
            removed=gone,
            kept=list(kept),
            findings=[*look.verdict.findings, *specifications.unresolved(tree, digests)],
            refused=list(look.verdict.findings),
            repositories=[
                repository_plan(each, declaration)
                for each in tree.all(CodeRepo)
                if look.order.renew or known.repositories.get(each.name) != repositories[each.name]
            ],
            withdrawn={name: number for name, number in known.repositories.items() if name not in repositories},
            access=access,
            # A runtime that goes may have had a reservation that it never claimed: its cluster hears of it as well.
            uses={
                cluster: clusters.get(cluster, [])
                for cluster in sorted({*clusters, *known.clusters} & look.registered)
                if gone or clusters.get(cluster, []) != known.clusters.get(cluster, [])
            },
            agreements={
                owner: agreements.get(owner, [])
                for owner in sorted({*agreed, *known.agreed})
                if agreed.get(owner) != known.agreed.get(owner)
            },
            hooks_url=self._policy.hooks_url,
            lifetime=self._policy.lifetime,
        )


def _names(pushed: Names, before: Names, held: Iterable[str]) -> Names:
    """Ids of what is in effect: a repository that is held back keeps the id it had, or has none."""
    own = {key.removeprefix("CodeRepo/") for key in held if key.startswith("CodeRepo/")}
    repositories = {name: number for name, number in pushed.repositories.items() if name not in own}
    repositories |= {name: number for name, number in before.repositories.items() if name in own}
    others = {name: number for name, number in before.repositories.items() if name not in repositories and "/" in name}
    return Names(products={**before.products, **pushed.products}, repositories=others | repositories)


def _id(spec: DeploymentSpec | PipelineSpec) -> str:
    return specifications.workflow_of(spec)


def _specifications(declaration: Declaration, tree: ProductTree) -> Iterable[DeploymentSpec | PipelineSpec]:
    """Those that can be resolved."""
    for deployment in tree.all(DeploymentRuntime):
        if found := specifications.deployment(deployment, declaration):
            yield found
    for pipeline in tree.all(ProjectPipelineRuntime):
        if made := specifications.pipeline(pipeline, declaration):
            yield made


def _stays(key: str, look: Look) -> str:
    """The commit in which the version of a held resource lies that stays in effect, "" when there is none."""
    if key not in look.before.resources:
        return ""
    return look.known.held.get(key) or look.known.accepted


def _outcomes(look: Look) -> Iterable[Outcome]:
    """Per resource that was pushed or held: what became of it."""
    old, new = look.before.resources, look.tree.resources
    adopted = not look.known.accepted  # nothing is known of before: what is there was not made by this push
    for key in sorted({*old, *new, *look.verdict.held}):
        if key in look.verdict.held:
            why = next((each.message for each in look.verdict.findings if each.resource == key), "")
            yield Outcome(resource=key, action="refused", detail=why)
        elif adopted:
            yield Outcome(resource=key, action="unchanged")
        elif old.get(key) != new.get(key):
            yield Outcome(resource=key, action="created" if key not in old else "changed" if key in new else "removed")


def _clusters(tree: ProductTree) -> dict[str, list[str]]:
    """Cluster -> environments that stand on it."""
    found: dict[str, list[str]] = {}
    for each in tree.all(Environment):
        found.setdefault(each.cluster, []).append(each.name)
    return found


def _access(look: Look) -> tuple[list[RepositoryAccess], dict[str, str]]:
    """Repositories whose deploy keys of others are to be compared, and the digests of what they shall have."""
    numbers, path = look.declaration.names.repositories, look.declaration.path
    wanted = _wanted(look, numbers)
    grants = {name: _digest(each) for name, each in wanted.items()}
    news = [name for name in grants if look.order.renew or grants[name] != look.known.grants.get(name)]
    access = [
        RepositoryAccess(project_id=numbers[name], path=f"{path}/{name}", wanted=wanted[name]) for name in sorted(news)
    ]
    return access, grants


def _wanted(look: Look, numbers: Mapping[str, int]) -> dict[str, list[KeyGrant]]:
    """Per repository with an id: whose keys it shall have besides its own."""
    agreements = look.known.agreements
    known = {f"{look.declaration.path}/{name}": number for name, number in numbers.items() if "/" not in name}
    known |= {each.repository: each.project_id for agreement in agreements for each in agreement.consumers}
    found: dict[str, list[KeyGrant]] = {}
    for name, accesses in keys.wanted(look.tree, [_agreed(each) for each in agreements]).items():
        given = {(known.get(each.consumer, 0), each.permission) for each in accesses}
        if numbers.get(name):
            others = sorted(each for each in given if each[0] not in (0, numbers[name]))
            found[name] = [KeyGrant(project_id=number, permission=permission) for number, permission in others]
    return found


def is_open(tree: ProductTree, agreement: Agreement) -> bool:
    """Whether the owner's declaration opens what the other side declares to use."""
    return any(True for _ in keys.openings(tree, _agreed(agreement)))


def _agreed(agreement: Agreement) -> keys.Agreed:
    consumers = tuple(keys.Consumer(each.repository, each.project) for each in agreement.consumers)
    return keys.Agreed(agreement.product, agreement.repository, agreement.permissions, consumers)


def _digest(values: Iterable[KeyGrant | Agreement]) -> str:
    text = "\n".join(each.model_dump_json() for each in values)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
