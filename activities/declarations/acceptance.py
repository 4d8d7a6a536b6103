"""What of a declaration's head takes effect, and who must be told: the look that follows every commit, ours or a person's.

Called by activities/products.py. A change's own resources are trusted (their rules have run); all else that is new is judged
resource by resource (nautes/rules/acceptance.py). Everything reported is a difference to what the product knows already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from activities.declarations import specifications
from activities.declarations.planning import Policy, repository_plan
from activities.declarations.worlds import Worlds
from nautes.blueprints import keys
from nautes.clients.declarations import Declaration, Declarations
from nautes.clients.gitlab import GitLab
from nautes.messages import ids
from nautes.messages.declarations import Author, Known, RepositoryAccess, RepositoryUse
from nautes.messages.errors import NotFound
from nautes.messages.gitlab import KeyGrant
from nautes.messages.operations import Outcome
from nautes.messages.products import SyncInput, SyncReport
from nautes.messages.runtimes import DeploymentSpec, PipelineSpec
from nautes.resources.findings import Finding
from nautes.resources.names import Names
from nautes.resources.product import CodeRepo, CodeRepoBinding, Environment
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.resources.tree import ProductTree
from nautes.rules.acceptance import Pushed, Verdict, judge
from nautes.rules.engine import finding

CONFIRMED = "Nautes-Confirm-Deletions"  # trailer of a commit by which a person repeats the count of what goes


@dataclass(frozen=True)
class Look:
    """One look: the order, the declaration with what is in effect as its tree, and the verdict on what was pushed."""

    input: SyncInput
    declaration: Declaration
    verdict: Verdict
    before: ProductTree
    registered: frozenset[str]  # clusters
    pushed: ProductTree  # what the commit holds, in effect or not

    @property
    def known(self) -> Known:
        """What the product knew before."""
        return self.input.known

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

    def look(self, input: SyncInput) -> SyncReport:
        """The head against what is known."""
        declaration = self._declarations.product(input.product)
        if declaration.tree is None:  # no such product, or nothing to read in it: a branch that is gone deletes nothing
            exists = bool(declaration.group_id and declaration.project_id)
            kept = list(input.known.digests) if exists else []
            return SyncReport(exists=exists, project_id=declaration.project_id, known=input.known, kept=kept)
        look = self._judged(input, declaration)
        return self._report(look)

    def _judged(self, input: SyncInput, declaration: Declaration) -> Look:
        effective = self._in_effect(declaration, input.known)
        before = effective.tree or ProductTree(declaration.path)
        old, new = self._worlds.of(before, declaration.tree or before)
        confirmed = self._declarations.about(declaration).trailer(CONFIRMED)
        pushed = Pushed(
            before=old,
            after=new,
            trusted=frozenset(input.trusted),
            confirmed=int(confirmed) if confirmed.isdecimal() and len(confirmed) < 6 else None,
            limits=self._policy.deletions,
            refused=tuple(self._foreign(declaration, effective.names)),
        )
        verdict = judge(pushed)
        names = _names(declaration.names, effective.names, verdict.held)
        return Look(
            input,
            replace(declaration, tree=verdict.tree, names=names),
            verdict,
            before,
            frozenset(new.clusters),
            new.tree,
        )

    def _foreign(self, declaration: Declaration, before: Names) -> Iterable[Finding]:
        """A stored repository carries GitLab's id: whoever may push must not name a project of somebody else by it.

        Asked for every id that is not in effect already, whoever is trusted otherwise: the id is no part of the resource.
        """
        for each in declaration.tree.all(CodeRepo) if declaration.tree else []:
            number = declaration.names.repositories.get(each.name, 0)
            if number == before.repositories.get(each.name):
                continue
            if self._gitlab.project_id(f"{declaration.path}/{each.name}") != number:
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
        parts = (_runtimes(look), _repositories(look), _grants(look), _places(look), _neighbours(look))
        now: dict[str, object] = {
            "accepted": declaration.head,
            "held": {key: _stays(key, look) for key in sorted(look.verdict.held)},
        }
        base = SyncReport(
            exists=True,
            id=ids.product_name(declaration.group_id),
            project_id=declaration.project_id,
            commit=declaration.head,
            author=Author(name=about.author, email=about.email),
            outcomes=list(_outcomes(look)),
            environments={each.name: each.cluster for each in tree.all(Environment)},
            refused=list(look.verdict.findings),
            hooks_url=self._policy.hooks_url,
            lifetime=self._policy.lifetime,
        )
        news: dict[str, object] = {}
        for part in parts:
            news |= part.news
            now |= part.known
        now["pending"] = any(part.pending for part in parts)
        return base.model_copy(update={**news, "known": known.model_copy(update=now)})


@dataclass(frozen=True)
class Part:
    """One part of a report: what is news in it, and what is known of it when that is done."""

    news: dict[str, object]
    known: dict[str, object]
    pending: bool = False  # somebody is to be heard or told later: look again after a while


def _runtimes(look: Look) -> Part:
    """Who is told what it is to be, who goes, who hears of pushes."""
    tree, known = look.tree, look.known
    specs = list(_specifications(look.declaration, tree))
    digests = {specifications.workflow_of(each): specifications.digest(each) for each in specs}
    news = [each for each in specs if known.digests.get(_id(each)) != digests[_id(each)]]
    gone = _gone(look)
    kept = {key: known.digests[key] for key in known.digests if key not in digests and key not in gone}
    told: dict[str, object] = {
        "watches": list(specifications.watches(specs)),
        "runtimes": list(specifications.lines(tree)),
        "deployments": [each for each in news if isinstance(each, DeploymentSpec)],
        "pipelines": [each for each in news if isinstance(each, PipelineSpec)],
        "removed": gone,
        "kept": list(kept),
        "findings": [*look.verdict.findings, *specifications.unresolved(tree, digests)],
    }
    return Part(told, {"digests": digests | kept})


def _gone(look: Look) -> list[str]:
    """Only what the commit itself does not hold any more goes: never what is there and not in effect."""
    trees = (look.tree, look.pushed)
    declared = {specifications.workflow(each) for tree in trees for each in specifications.runtimes(tree)}
    return [key for key in look.known.digests if key not in declared]


def _repositories(look: Look) -> Part:
    """Which get their doors, and which give them back."""
    declaration, before = look.declaration, look.known.repositories
    found = look.tree.all(CodeRepo)
    numbers = {each.name: declaration.names.repositories.get(each.name, 0) for each in found}
    opened = [each for each in found if look.input.renew or before.get(each.name) != numbers[each.name]]
    news: dict[str, object] = {
        "repositories": [repository_plan(each, declaration) for each in opened],
        "withdrawn": {name: number for name, number in before.items() if name not in numbers},
    }
    return Part(news, {"repositories": numbers})


def _grants(look: Look) -> Part:
    """Whose keys open which repository, where that was told otherwise."""
    numbers, path = look.declaration.names.repositories, look.declaration.path
    wanted = _wanted(look, numbers)
    silent = _silent(look)
    for name in silent:
        wanted.pop(name, None)
    grants = {name: _digest(each) for name, each in wanted.items()}
    news = [name for name in sorted(grants) if look.input.renew or grants[name] != look.known.grants.get(name)]
    access = [RepositoryAccess(project_id=numbers[name], path=f"{path}/{name}", wanted=wanted[name]) for name in news]
    return Part({"access": access}, {"grants": grants}, pending=bool(silent))


def _silent(look: Look) -> set[str]:
    """Repositories that other products may use, while nothing is known of what these say (Temporal's memory was lost).

    Their keys stay what they are until the others have spoken: what is in use must not be taken away for a minute.
    """
    if look.known.accepted or look.input.trusted:
        return set()
    return {each.coderepo for each in look.tree.all(CodeRepoBinding) if each.consumer}


def _places(look: Look) -> Part:
    """Which clusters hear of which environments; one that is not registered (yet) has nobody to be told."""
    standing: dict[str, list[str]] = {}
    for each in look.tree.all(Environment):
        standing.setdefault(each.cluster, []).append(each.name)
    before = look.known.clusters
    now = {name: each for name, each in standing.items() if name in look.registered}
    # A runtime that goes may have had a reservation that it never claimed: its cluster hears of it as well.
    gone = _gone(look)
    uses = {
        cluster: now.get(cluster, [])
        for cluster in sorted({*now, *before} & look.registered)
        if gone or now.get(cluster, []) != before.get(cluster, [])
    }
    return Part({"uses": uses}, {"clusters": now}, pending=now != standing)


def _neighbours(look: Look) -> Part:
    """Which owners hear of what we use of theirs."""
    before = look.known.reported_uses
    foreign_uses = specifications.by_owner(specifications.foreign_uses(look.tree, look.declaration))
    now = {owner: _digest(each) for owner, each in foreign_uses.items()}
    news = {
        owner: foreign_uses.get(owner, []) for owner in sorted({*now, *before}) if now.get(owner) != before.get(owner)
    }
    return Part({"foreign_uses": news}, {"reported_uses": now})


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


def _wanted(look: Look, numbers: Mapping[str, int]) -> dict[str, list[KeyGrant]]:
    """Per repository with an id: whose keys it shall have besides its own."""
    foreign_uses = look.known.foreign_uses
    known = {f"{look.declaration.path}/{name}": number for name, number in numbers.items() if "/" not in name}
    known |= {each.repository: each.project_id for agreement in foreign_uses for each in agreement.consumers}
    found: dict[str, list[KeyGrant]] = {}
    for name, accesses in keys.wanted(look.tree, [_agreed(each) for each in foreign_uses]).items():
        given = {(known.get(each.consumer, 0), each.permission) for each in accesses}
        if numbers.get(name):
            others = sorted(each for each in given if each[0] not in (0, numbers[name]))
            found[name] = [KeyGrant(project_id=number, permission=permission) for number, permission in others]
    return found


def is_open(tree: ProductTree, agreement: RepositoryUse) -> bool:
    """Whether the owner's declaration opens what the other side declares to use."""
    return any(True for _ in keys.openings(tree, _agreed(agreement)))


def _agreed(agreement: RepositoryUse) -> keys.ForeignUse:
    consumers = tuple(keys.Consumer(each.repository, each.project) for each in agreement.consumers)
    return keys.ForeignUse(agreement.product, agreement.repository, agreement.permissions, consumers)


def _digest(values: Iterable[KeyGrant | RepositoryUse]) -> str:
    text = "\n".join(each.model_dump_json() for each in values)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
