"""A recipe is the same in TOML and in YAML, and a mistake in either is one line that names the file and the key."""

import tomllib
from pathlib import Path

import pytest
import yaml

from finetune import recipe as lm
from finetune.codec import recipe as codec

RECIPES = sorted((Path(__file__).parents[2] / "finetune" / "recipes").glob("*.toml"))


def reader(path: Path):
    return codec.read if path.stem.startswith("codec-") else lm.read


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_the_same_in_toml_and_in_yaml(path, tmp_path):
    for suffix in (".yaml", ".yml"):
        written = (tmp_path / path.name).with_suffix(suffix)
        written.write_text(yaml.safe_dump(tomllib.loads(path.read_text())))
        assert reader(path)(written) == reader(path)(path)


def test_plain_words_in_yaml_mean_what_they_do_in_toml(tmp_path):
    toml, written = tmp_path / "mine.toml", tmp_path / "mine.yaml"
    toml.write_text(
        """
        name = "no"
        model = "2026-01-01"
        data = {train = ["rows"], drop_repeated_frames = false}
        optimiser = {learning_rate = 1e-3, weight_decay = 1E-2, eps = 5.0e-09, clip = 1, steps = 20_000, epochs = 0.5}
        lora = {rank = 8, alpha = 16.0}
        """
    )
    written.write_text(
        """
        name: no
        model: 2026-01-01
        data: {train: [rows], drop_repeated_frames: False}
        loss: {}
        optimiser: {learning_rate: 1e-3, weight_decay: 1E-2, eps: 5.e-09, clip: 1, steps: 20_000, epochs: .5}
        lora: &small {rank: 8, alpha: 16.0}
        """
    )
    assert lm.read(written) == lm.read(toml)
    # All weights are learned without [lora], whether it is empty or not there.
    written.write_text("name: x\nmodel: tiny\ndata: {train: [rows]}\nlora:\n")
    assert lm.read(written).lora is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nmodle: tiny", r"unknown key modle; there are name, model, "),
        ("name: x\n1: 2\nmodle: 3", r"unknown key 1; "),
        ("name: x\nmodel: tiny", r"data is missing"),
        ("name: x\nmodel: tiny\ndata: {train: rows}", r"data\.train is not a list"),
        ("name: 7\nmodel: tiny\ndata: {train: [rows]}", r"name is 7, not str"),
        (
            "name: x\nmodel: tiny\ndata: {train: [rows]}\noptimiser: {steps: 1e3}",
            r"optimiser\.steps is 1000\.0, not int",
        ),
        (
            "name: x\nmodel: tiny\ndata: {train: [rows]}\noptimiser: {epochs: 1:30}",
            r"optimiser\.epochs is '1:30', not float",
        ),
        (
            "name: x\nmodel: tiny\ndata: {train: [rows]}\nlora: {rslora: yes}",
            r"lora\.rslora is 'yes', not bool",
        ),
        ("name: x\nmodel: tiny\nname: y", r"name stands twice \(at line 3, column 1\)"),
        ("- name: x", r"the recipe is not a table"),
        ("", r"the recipe is not a table"),
        ("name: [x", r"expected .* \(at line 1, column 9\)"),
        ("name: x\n---\nname: y", r"but found another document \(at line 2, column 1\)"),
        ("name: !!python/name:os.system", r"could not determine a constructor"),
        ("name: \x00", r"unacceptable character"),
        ("[" * 5000, r"nested too deeply"),
    ],
)
def test_a_mistake_in_yaml_is_one_line_that_names_file_and_key(text, message, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"mine\.yaml:? .*{message}") as caught:
        lm.read(path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_yaml_recipe_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"there is no .*mine\.yml"):
        codec.read(tmp_path / "mine.yml")
