"""Checks the triggers of a definition (V-16, V-17)."""

from collections.abc import Iterator

from penstock.actions.declaration import declaration_of
from penstock.api.globs.names import NameFilter
from penstock.api.globs.syntax import GlobError
from penstock.api.kinds.pipeline import Action, PipelineSpec
from penstock.api.kinds.triggers import GitConfiguration, GlobCriteria
from penstock.api.walks import placed_actions
from penstock.engine.definition.findings import Problem

# CodePipeline's own words (V-16, V-17).
_WRONG_ACTION = (
    "Triggers for connection must reference a CodeStarSourceConnection action. Note that when you "
    "specify a trigger, you cant specify more than one trigger per source action."
)
_WRONG_FILTER = (
    "The trigger configuration for the source action is not valid. Make sure to choose valid "
    "filter combinations."
)


def trigger_problems(spec: PipelineSpec) -> Iterator[Problem]:
    """Yield what is wrong with a definition's triggers."""
    actions = {action.name: action for _, _, action in placed_actions(spec)}
    named: set[str] = set()
    for number, trigger in enumerate(spec.triggers):
        git, path = trigger.git_configuration, f"spec.triggers[{number}].gitConfiguration"
        name = git.source_action_name
        if name in named or not _is_connection(actions.get(name)):
            yield Problem(f"{path}.sourceActionName", _WRONG_ACTION)
            continue
        named.add(name)
        if wrong := next(_wrong_filters(git), ""):
            yield Problem(f"{path}.{wrong}", _WRONG_FILTER)
        else:
            yield from _wrong_patterns(path, git)


def _is_connection(action: Action | None) -> bool:
    declared = declaration_of(action.action_type_id) if action else None
    return declared is not None and bool(declared.connection)


def _wrong_filters(git: GitConfiguration) -> Iterator[str]:
    """Yield the paths of filters whose criteria CodePipeline does not combine (G-23)."""
    for number, push in enumerate(git.push):
        if (
            (push.tags and (push.branches or push.file_paths))
            or (push.file_paths and not push.branches)
            or not (push.tags or push.branches)
        ):
            yield f"push[{number}]"
    for number, pull in enumerate(git.pull_request):
        if pull.file_paths and not pull.branches:
            yield f"pullRequest[{number}]"


def _wrong_patterns(path: str, git: GitConfiguration) -> Iterator[Problem]:
    for where, names in _criteria(git):
        try:
            NameFilter(names.includes, names.excludes).check()
        except GlobError as error:
            yield Problem(f"{path}.{where}", str(error))


def _criteria(git: GitConfiguration) -> Iterator[tuple[str, GlobCriteria]]:
    places: dict[str, GlobCriteria | None] = {}
    for number, push in enumerate(git.push):
        places[f"push[{number}].tags"] = push.tags
        places[f"push[{number}].branches"] = push.branches
        places[f"push[{number}].filePaths"] = push.file_paths
    for number, pull in enumerate(git.pull_request):
        places[f"pullRequest[{number}].branches"] = pull.branches
        places[f"pullRequest[{number}].filePaths"] = pull.file_paths
    yield from ((place, names) for place, names in places.items() if names)
