"""Invoke / ThirdParty / Greeting: says hello to somebody, and tells whom it greeted."""

from penstock.actions.declaration import (
    ArtifactBounds,
    Configuration,
    Declaration,
    OnLostPod,
    StageRule,
)


class GreetingConfiguration(Configuration):
    """Whom to greet."""

    Name: str


DECLARATION = Declaration(
    category="Invoke",
    owner="ThirdParty",
    provider="Greeting",
    folder="greeting",
    configuration=GreetingConfiguration,
    inputs=ArtifactBounds(0, 0),
    outputs=ArtifactBounds(0, 0),
    on_lost_pod=OnLostPod.RERUN,
    timeout_s=60,
    rule=StageRule("GreetingCheck"),
)
