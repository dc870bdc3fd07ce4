"""What fuzzing has found, kept small."""

import pytest

from penstock.actions.codebuild.buildspec import parse
from penstock.actions.execution import ActionError


@pytest.mark.parametrize("text", ["version: 0.2\nx: \udcff\n", "version: '" + "9" * 5000 + "'\n"])
def test_buildspec_of_half_a_character_or_of_endless_words_is_refused_in_a_few(text: str) -> None:
    with pytest.raises(ActionError) as caught:
        parse(text)
    assert caught.value.code == "YAML_FILE_ERROR"
    assert len(caught.value.message) <= 1000
