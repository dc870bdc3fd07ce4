"""Names what a definition says that this version does not act on: nothing is ignored in silence."""

from collections.abc import Iterator

from penstock.actions.declaration import declaration_of
from penstock.api.kinds.pipeline import Action, PipelineSpec
from penstock.api.walks import placed_actions
from penstock.engine.definition.findings import UNSUPPORTED, Problem

_REMOVE = "this version of Penstock does not act on it; remove it"


def unsupported(spec: PipelineSpec) -> Iterator[Problem]:
    """Yield a problem for each field that would change what runs do, and does not."""
    present: list[tuple[str, object]] = []
    for number, stage in enumerate(spec.stages):
        path = f"spec.stages[{number}]"
        present.append((f"{path}.blockers", stage.blockers))
        for index, action in enumerate(stage.actions):
            present += [
                (
                    f"{path}.actions[{index}].environmentVariables[{place}].type: SECRETS_MANAGER",
                    True,
                )
                for place, variable in enumerate(action.environment_variables)
                if variable.type == "SECRETS_MANAGER"
            ]
    yield from (Problem(path, _REMOVE, UNSUPPORTED) for path, value in present if value)
    yield from _stores(spec)
    yield from _regions(spec)


def _stores(spec: PipelineSpec) -> Iterator[Problem]:
    """F-03: artifactStores of one region is an artifactStore; of several, none can be chosen."""
    if len(spec.artifact_stores or {}) > 1:
        regions = ", ".join(sorted(spec.artifact_stores or {}))
        what = f"Penstock keeps all artifacts in one store; leave one of the regions {regions}"
        yield Problem("spec.artifactStores", what, UNSUPPORTED)


def _regions(spec: PipelineSpec) -> Iterator[Problem]:
    """Refuse a region that differs from others where the provider cannot act on it (R-03)."""
    # One region throughout is harmless, so `regions_without_effect` only notes it.
    if len(_used_regions(spec)) > 1:
        for path, action in _without_region(spec):
            what = (
                "the pipeline's actions name several regions, and this provider runs in the "
                "cluster; remove it"
            )
            yield Problem(f"{path}.region", f"{what} ({action.region})", UNSUPPORTED)


def regions_without_effect(spec: PipelineSpec) -> Iterator[str]:
    """Yield the paths of regions that only repeat the pipeline's own region (R-03).

    AWS writes the region into every action.
    """
    if len(_used_regions(spec)) <= 1:
        yield from (f"{path}.region" for path, _ in _without_region(spec))


def _used_regions(spec: PipelineSpec) -> set[str]:
    return {item.action.region for item in placed_actions(spec) if item.action.region}


def _without_region(spec: PipelineSpec) -> Iterator[tuple[str, Action]]:
    """Yield the actions, with their paths, that name a region and whose provider calls no AWS."""
    for path, _, action in placed_actions(spec):
        declared = declaration_of(action.action_type_id)
        if action.region and not (declared and declared.calls_aws):
            yield path, action
