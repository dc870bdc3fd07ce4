"""Values and images of a run, put into manifests: issue 4, item 7; the file format of P-44."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.actions.execution import ActionError
from penstock.actions.kubernetes.manifests.files import Manifest
from penstock.actions.kubernetes.manifests.images import read_images, with_images
from penstock.actions.kubernetes.manifests.rendering import render
from penstock.actions.kubernetes.manifests.substitutions import Written, read_values, with_values
from tests.unit.actions.kubernetes_jobs import CONFIG_MAP, job_for

SCALARS = st.text(max_size=20) | st.integers() | st.booleans()


def body(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, **fields}


def manifest(**fields: Any) -> Manifest:
    return Manifest(body(**fields), "a.yaml, document 1")


def template(*names: str, init: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "initContainers": [{"name": name, "image": "old"} for name in init],
        "containers": [{"name": name, "image": "old"} for name in names],
    }


def message(job: Any) -> str:
    with pytest.raises(ActionError) as caught:
        render(job)
    assert caught.value.code == "ConfigurationError"
    return caught.value.message


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Pod", template("web")),
        ("Deployment", {"template": {"spec": template("web")}}),
        ("Rollout", {"template": {"spec": template("log", init=("web",))}}),
        ("CronJob", {"jobTemplate": {"spec": {"template": {"spec": template("web")}}}}),
    ],
)
def test_images_are_set_in_every_kind_of_pod_template(kind: str, spec: dict[str, Any]) -> None:
    (found,) = with_images(
        [Manifest({**body(spec=spec), "kind": kind}, "a")], {"web": "web:2"}, "i.json"
    )
    assert '{"name": "web", "image": "web:2"}' in json.dumps(found.body)
    assert "web:2" not in json.dumps(spec)


def test_image_of_no_container_is_named() -> None:
    with pytest.raises(ActionError) as caught:
        with_images(
            [Manifest({**body(spec=template("log", "web")), "kind": "Pod"}, "a")],
            {"wbe": "x"},
            "i.json",
        )
    assert (
        caught.value.message
        == 'i.json: no manifest has a container "wbe"; the containers are: log, web'
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "i.json: not JSON: "),
        ("{}", "i.json: a list is wanted: "),
        ('[{"imageUri": "x"}]', "i.json[0].name: the name of a container is wanted"),
        ('[{"name": "web"}]', "i.json[0].imageUri: the image of container web is wanted, without "
                              "spaces"),
        ('[{"name": "web", "imageUri": "a b"}]', "i.json[0].imageUri: "),
        ('[{"name": "w", "imageUri": "a"}, {"name": "w", "imageUri": "b"}]', 'i.json[1].name: "w" '
                                                                             'stands there twice'),
    ],
)  # fmt: skip
def test_image_definitions_that_are_none_name_the_place(text: str, why: str) -> None:
    with pytest.raises(ActionError) as caught:
        read_images("i.json", text.encode())
    assert caught.value.message.startswith(why)


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True), SCALARS, min_size=1
    )
)
def test_no_value_can_change_the_shape_of_a_manifest(values: dict[str, Any]) -> None:
    """Text substitution would let a line break and a colon add a field."""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }
    written = {name: Written(value, texts[name]) for name, value in values.items()}
    whole = with_values(manifest(data={name: f"${{{name}}}" for name in values}), written)
    assert whole.body["data"] == values
    inside = with_values(manifest(data={name: f"a ${{{name}}} b" for name in values}), written)
    assert {key: type(value) for key, value in inside.body["data"].items()} == dict.fromkeys(
        values, str
    )


@given(st.text().filter(lambda text: "${" not in text))
def test_text_without_places_stays(text: str) -> None:
    assert with_values(manifest(data={"a": text}), {}).body["data"] == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${N}", 3), ("${N}:${T}", "3:x"), ("${B}", True), ("is ${B}", "is true"),
        ("$${N}", "${N}"),
        ("$N $(N) $$", "$N $(N) $$"), ("$${HOME}/${T}", "${HOME}/x"), ("$${", "${"),
    ],
)  # fmt: skip
def test_place_takes_the_value_with_its_type(text: str, value: Any) -> None:
    values = read_values("v.yaml", b"N: 3\nT: x\nB: true\n")
    assert with_values(manifest(data={"a": text}), values).body["data"]["a"] == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("${NONE}", "${NONE} has no value; write $${ for a literal ${"),
        ("${HOME:-/root}", "${HOME:-/root} has no value; write $${ for a literal ${"),
        ("x ${N", '"${" without "}"; write $${ for a literal one'),
    ],
)
def test_place_without_a_value_is_named_with_its_path(text: str, why: str) -> None:
    with pytest.raises(ActionError) as caught:
        with_values(manifest(spec={"list": [{"a": text}]}), {"N": Written(1, "1")})
    assert caught.value.message == f"a.yaml, document 1: spec.list[0].a: {why}"


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("v.json", "[1]", "v.json: a mapping of names to values is wanted"),
        ("v.yaml", "A: {}\n", "v.yaml: A: a text, a number, true or false is wanted"),
        (
            "v.yaml",
            "1A: x\n",
            'v.yaml: "1A" is no name: letters, digits and _ are, and no digit first',
        ),
        ("v.yaml", "a: [\n", "v.yaml: it cannot be read: "),
        (".env", "A\n", ".env, line 1: NAME=value is wanted"),
    ],
)
def test_values_that_are_none_name_the_place(name: str, text: str, why: str) -> None:
    with pytest.raises(ActionError) as caught:
        read_values(name, text.encode())
    assert caught.value.message.startswith(why)


def test_environment_file_gives_texts() -> None:
    found = read_values("build.env", b"# made by CI\nA=1\nB='x y'\nC=a=b\n\n")
    assert {name: written.value for name, written in found.items()} == {
        "A": "1",
        "B": "x y",
        "C": "a=b",
    }


def test_files_may_stand_in_another_input_artifact(tmp_path: Path) -> None:
    files = {"a.yaml": CONFIG_MAP.replace("'1'", "'${N}'")}
    job = job_for(tmp_path, files, ManifestFiles="a.yaml", Substitutions="Values::deep/v.json")
    (tmp_path / "values/deep").mkdir(parents=True)
    (tmp_path / "values/deep/v.json").write_text('{"N": "7"}')
    job.inputs["Values"] = tmp_path / "values"
    assert [item.body["data"]["m"] for item in render(job)] == ["7"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (
            "Other::v.json",
            'Substitutions: "Other" is no input artifact of the action; it has Build',
        ),
        ("v.json", 'Substitutions: artifact Build holds no file "v.json"'),
        ("../job/token/token", 'Substitutions: artifact Build holds no file "../job/token/token"'),
        ("/etc/passwd", 'Substitutions: artifact Build holds no file "/etc/passwd"'),
        ("link.json", 'Substitutions: artifact Build holds no file "link.json"'),
    ],
)
def test_file_that_is_not_in_the_artifact_is_not_read(tmp_path: Path, name: str, why: str) -> None:
    job = job_for(tmp_path, {"a.yaml": CONFIG_MAP}, ManifestFiles="a.yaml", Substitutions=name)
    (tmp_path / "input/link.json").symlink_to("/etc/hostname")
    assert message(job) == why


@pytest.mark.parametrize(
    "text", ["a: !!binary /w==", "a: .nan", "a: -.INF", "? [1]\n: a", "? {a: b}\n: a"]
)
def test_value_that_json_has_not_is_refused(tmp_path: Path, text: str) -> None:
    lines = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\n{text}\n"
    found = message(job_for(tmp_path, {"a.yaml": lines}))
    assert found.startswith("a.yaml, line 4: ")


SPELLINGS = ["1.10", "1.20", "0012345", "1e3", "0x1F", "0o17", "1_000", "2020-01-01", "12:30",
    "yes", "NO", "=", "1.0",
             "1E400", "+1", ".5", "0.10", "12345678901234567890123", "true", "7", "-0"]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_bug_11_value_within_a_longer_text_is_as_the_file_writes_it(spelling: str) -> None:
    """A version 1.10 became 1.1, a commit 0012345 became 5349."""
    for quote in ("", "'", '"'):
        values = read_values("v.yaml", f"V: {quote}{spelling}{quote}\n".encode())
        filled = with_values(manifest(data={"a": "app:${V}", "b": "${V}-${V}"}), values).body[
            "data"
        ]
        assert filled == {"a": f"app:{spelling}", "b": f"{spelling}-{spelling}"}


@pytest.mark.parametrize(
    "number", ["1.10", "1e3", "1.0", "-0", "12345678901234567890123", "0.10", "1E+2", "7"]
)
def test_bug_11_number_of_a_json_file_keeps_its_letters(number: str) -> None:
    values = read_values("v.json", f'{{"V": {number}}}'.encode())
    assert with_values(manifest(data={"a": "v${V}"}), values).body["data"] == {"a": f"v{number}"}


@pytest.mark.parametrize(
    "spelling", ["1.10", "0012345", "1e3", "0x1F", "0o17", "1_000", "yes", "NO", "1.0", "+1"]
)
def test_bug_11_value_that_may_be_meant_as_a_text_has_no_type(spelling: str) -> None:
    values = read_values("v.yaml", f"V: {spelling}\n".encode())
    with pytest.raises(ActionError) as caught:
        with_values(manifest(data={"a": "${V}"}), values)
    assert (
        f"data.a: ${{V}} is written {spelling}: quote it if it is a text, or write "
        in caught.value.message
    )


@pytest.mark.parametrize(
    ("spelling", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("0.5", 0.5),
        ("true", True),
        ("false", False),
        ("'1.10'", "1.10"),
        ("2020-01-01", None),
    ],
)
def test_value_that_is_written_as_what_it_is_keeps_its_type(spelling: str, value: Any) -> None:
    values = read_values("v.yaml", f"V: {spelling}\n".encode())
    found = with_values(manifest(data={"a": "${V}"}), values).body["data"]["a"]
    expected = spelling if value is None else value
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    "text", ["V: ~", "V:", "V: null", "V: [1]", "V: 1\nV: 2", "V: .inf", "V: 1\n---\nW: 2"]
)
def test_bug_11_file_of_values_that_is_unclear_is_refused(text: str) -> None:
    with pytest.raises(ActionError) as caught:
        read_values("v.yaml", f"{text}\n".encode())
    assert caught.value.message.startswith("v.yaml: ")
