"""A run learns, is kept, goes on after a kill with the same numbers, and is the same on several processes."""

import dataclasses
import importlib.util
import json
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from finetune import recipe as recipes
from finetune import train
from finetune.recipe import parse
from finetune.rows import features
from kani_npc.errors import KaniError
from kani_npc.lm.load import checkpoint_parts, load_lm
from kani_npc.lm.model import Lfm2
from tests.support.tiny_random import make_random_model

ROOT = Path(__file__).parents[2]
TEXTS = ("the old bridge is closed", "a dog barked", "good morning to you", "where is the road")


def write_rows(folder: Path, *, num: int = 12, speaker_dim: int = 128, highest: int = 9) -> Path:
    rng = np.random.default_rng(0)
    lengths = rng.integers(4, 12, num).tolist()
    speaker = (np.ones(speaker_dim) / np.sqrt(speaker_dim)).astype(np.float32).tolist()
    columns = {
        "text": [TEXTS[i % len(TEXTS)] for i in range(num)],
        "encoded_len": lengths,
        "speaker_emb": [speaker] * num,
        "grouped_sp_emb": [speaker] * num,
        "speaker": ["mara"] * num,
        "tag": ["en_us"] * num,
        "source": [""] * num,
        "speech_s": [0.08 * n for n in lengths],
        **{
            f"nano_layer_{k + 1}": [rng.integers(0, highest + 1, n).tolist() for n in lengths]
            for k in range(4)
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    table = datasets.Dataset.from_dict(columns, features=features(speaker_dim))
    table.to_parquet(str(folder / "train.parquet"))
    return folder


@pytest.fixture(scope="module")
def setting(tmp_path_factory) -> dict:
    """The values of a recipe that takes a moment."""
    folder = tmp_path_factory.mktemp("training")
    return {
        "name": "mara",
        "model": str(make_random_model(folder / "model")),
        "data": {
            "train": [str(write_rows(folder / "rows"))],
            "drop_repeated_frames": False,
        },
        "loss": {"choices": "legal"},
        "optimiser": {
            "learning_rate": 0.01,
            "warmup": 1,
            "steps": 6,
            "rows_per_step": 4,
            "rows_at_once": 2,
        },
        "machine": {"cpu": True, "threads": 1},
        "watch": {"evaluate_every": 2, "save_every": 2, "report_to": []},
    }


def changed(values: dict, **tables) -> recipes.Recipe:
    """The recipe with some keys of its tables, or whole values, different."""
    merged = dict(values)
    for name, value in tables.items():
        old = merged.get(name)
        merged[name] = {**old, **value} if isinstance(old, dict) else value
    return parse(merged)


def figures(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in figures(folder) if "loss" in row]


def test_an_adapter_is_learned_and_is_peft_s_own_folder(setting, tmp_path):
    recipe = changed(
        setting,
        lora={"rank": 4},
        data={"validation_share": 0.2, "speaker_dropout": 0.2, "pack_tokens": 300},
        watch={"report_to": ["tensorboard"]},
    )
    folder = train.run(recipe, tmp_path)
    rows = figures(folder)
    assert [row["step"] for row in rows] == [0, 2, 4, 6]
    assert rows[-1]["validation_loss"] < rows[0]["validation_loss"]
    assert list((folder / "tensorboard").rglob("events*"))
    assert {path.stem for path in (folder / "plots").glob("*.png")} >= {"loss", "confusion"}
    page = (folder / "report.html").read_text()
    assert "min_diagonal" in page and page.count("data:image/png;base64,") >= 5
    assert "http" not in page and TEXTS[0] not in page

    import peft

    base = load_lm(setting["model"])
    before = {name: w.clone() for name, w in base.state_dict().items()}
    adapted = peft.PeftModel.from_pretrained(base, str(folder / "adapter"))
    ids = torch.tensor([1, 20, 21, 2, 68, 69, 65])
    changed_logits = base.logits(ids)
    with adapted.disable_adapter():
        assert not torch.allclose(base.logits(ids), changed_logits, atol=1e-6)
    merged = adapted.merge_and_unload()
    torch.testing.assert_close(merged.logits(ids), changed_logits, atol=1e-5, rtol=1e-5)
    assert torch.equal(merged.embed_tokens.weight, before["embed_tokens.weight"])


def test_figures_go_to_wandb_under_the_run_s_name(setting, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    recipe = changed(setting, watch={"report_to": ["wandb", "tensorboard"]})
    folder = train.run(recipe, tmp_path)
    (kept,) = (folder / "wandb").glob("offline-run-*/run-*.wandb")
    data = kept.read_bytes()
    assert all(word in data for word in (b"kani-npc", b"mara", b"gradient_norm"))


@pytest.mark.parametrize("multiplies", [True, False])
def test_all_weights_are_learned_into_a_model_folder_that_serving_loads(
    setting, tmp_path, monkeypatch, multiplies
):
    monkeypatch.setattr(train, "multiplies_bfloat16", lambda _: multiplies)
    # Factors on the rope have a rate of their own; gradients are computed again, in bfloat16.
    recipe = changed(
        setting, machine={"precision": "bf16", "gradient_checkpointing": True}, loss={}
    )
    folder = train.run(recipe, tmp_path)
    found = losses(folder)
    assert found[-1] < found[0]
    assert ("CPU, bf16" in (folder / "report.html").read_text()) == multiplies
    given, learned = load_lm(setting["model"]), load_lm(folder / "model")
    assert not torch.equal(given.alphas(), learned.alphas())
    assert given.config == learned.config
    names = {str(p.relative_to(folder / "model")) for p in (folder / "model").rglob("*")}
    assert {"tokenizer.json", "voices.json", "codec/model.safetensors"} <= names
    fields = json.loads((folder / "model" / "config.json").read_text())
    assert fields["speaker_space"] and fields["model_name"] == "tiny"


@pytest.mark.timeout(400)
def test_a_run_that_was_killed_while_it_wrote_a_checkpoint_goes_on_to_the_same_bits(
    setting, tmp_path
):
    recipe = changed(setting, lora={"rank": 4, "dropout": 0.2})
    whole = train.run(recipe, tmp_path / "whole")
    killed = tmp_path / "killed" / "mara"
    process = subprocess.Popen(
        [sys.executable, "-c", _ENDLESS_THIRD_CHECKPOINT, json.dumps(recipe.to_json())],
        cwd=ROOT,
        env={**os.environ, "RUNS": str(killed.parent)},
    )
    half_written = killed / "checkpoints" / "step-0000006.pt.part"
    try:
        deadline = time.monotonic() + 300
        while not (half_written.exists() and half_written.stat().st_size):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (killed / "checkpoints" / "step-0000004.pt").exists()
    with (killed / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "los')
    assert not (killed / "adapter").exists()
    train.run(recipe, killed.parent)
    assert not half_written.exists()
    assert losses(killed) == losses(whole)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        ours, theirs = (f / "adapter" / name for f in (killed, whole))
        assert ours.read_bytes() == theirs.read_bytes()


# Stands still in the middle of its third checkpoint.
_ENDLESS_THIRD_CHECKPOINT = """
import io, json, os, sys, time
from pathlib import Path
from finetune import checkpoints, train
from finetune.recipe import parse
whole = checkpoints.torch.save
def half(state, draft):
    if state["progress"]["step"] < 6:
        return whole(state, draft)
    whole(state, data := io.BytesIO())
    draft.write_bytes(data.getvalue()[:len(data.getvalue()) // 2])
    time.sleep(1000)
checkpoints.torch.save = half
train.run(parse(json.loads(sys.argv[1])), Path(os.environ["RUNS"]))
"""


def test_a_disk_that_fills_is_said_and_the_checkpoint_before_stays(setting, tmp_path):
    folder = train.run(changed(setting), tmp_path)
    kept = sorted(path.name for path in (folder / "checkpoints").iterdir())
    state = {"weights": torch.zeros(100_000)}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"step-0000008\.pt could not be written, .* MB are free"):
            train.checkpoints.save(folder / "checkpoints", 8, state, keep=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == kept


def test_a_run_goes_on_by_its_own_recipe_only(setting, tmp_path):
    train.run(changed(setting, optimiser={"steps": 2}), tmp_path)
    with pytest.raises(ValueError, match="begun with another optimiser"):
        train.run(changed(setting, optimiser={"steps": 3}), tmp_path)
    # How it is looked at is not what it learns.
    train.run(changed(setting, optimiser={"steps": 2}, watch={"save_every": 1}), tmp_path)


def test_a_run_stops_where_the_rows_held_out_get_worse_and_keeps_the_best(setting, tmp_path):
    recipe = changed(
        setting,
        data={"validation_share": 0.2},
        optimiser={"steps": 40, "learning_rate": 0.1},
        watch={"patience": 3, "evaluate_every": 1, "save_every": 0},
    )
    folder = train.run(recipe, tmp_path)
    rows = figures(folder)
    best = min(rows[1:], key=lambda row: row["validation_loss"])
    assert rows[-1]["step"] == best["step"] + 3 < 40
    # The folder holds that step's weights, rounded to bfloat16.
    again = train.Trainer(
        changed(setting, name="again", model=str(folder / "model"), data={"validation_share": 0.2}),
        tmp_path / "again",
    )
    assert again.validation_loss() == pytest.approx(best["validation_loss"], abs=0.02)
    # Called once more, it has nothing left to do.
    train.run(recipe, tmp_path)
    assert len(figures(folder)) == len(rows)


def test_a_loss_that_is_no_number_ends_the_run_and_says_what_to_try(setting, tmp_path):
    recipe = changed(setting, optimiser={"learning_rate": 1e30})
    with pytest.raises(train.TrainingFailed, match=r"step \d: the loss is .*lower learning_rate"):
        train.run(recipe, tmp_path)


@pytest.mark.timeout(600)
def test_two_processes_learn_what_one_does_with_ddp_and_with_fsdp(setting, tmp_path):
    common = {
        "data": {"validation_share": 0.2},
        "optimiser": {"steps": 3, "rows_at_once": 1},
        "watch": {"evaluate_every": 1, "save_every": 2},
    }
    adapter = {"lora": {"rank": 4, "dropout": 0.0}}
    wanted = {
        "ddp": changed(setting, name="ddp", **common),
        "fsdp": changed(setting, name="fsdp", machine={"sharding": "fsdp"}, **common),
        "rounded": changed(
            setting,
            name="rounded",
            machine={"sharding": "fsdp", "precision": "bf16", "gradient_checkpointing": True},
            **adapter,
            **common,
        ),
    }
    alone = train.run(wanted["ddp"], tmp_path / "one")
    # A run of one process goes on with two.
    begun = tmp_path / "again" / "fsdp"
    begun.mkdir(parents=True)
    (begun / "checkpoints").mkdir()
    shutil.copy(alone / "checkpoints" / "step-0000002.pt", begun / "checkpoints")
    runs = [("two", recipe.to_json()) for recipe in wanted.values()]
    runs.append(("again", wanted["fsdp"].to_json()))
    port = str(20_000 + os.getpid() % 20_000)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _SEVERAL_RUNS, json.dumps(runs)],
            cwd=ROOT,
            env={
                **os.environ,
                **{"WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank)},
                **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"},
                "RUNS": str(tmp_path),
            },
        )
        for rank in (0, 1)
    ]
    try:
        adapted = train.run(changed(setting, name="rounded", **adapter, **common), tmp_path / "one")
        assert [process.wait(timeout=500) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for name in ("ddp", "fsdp"):
        folder = tmp_path / "two" / name
        for ours, theirs in zip(figures(folder), figures(alone), strict=True):
            for key in {"loss", "gradient_norm", "validation_loss"} & theirs.keys():
                assert ours[key] == pytest.approx(theirs[key], rel=1e-4), (name, key)
        ours, theirs = (load_lm(run / "model").alphas() for run in (folder, alone))
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0.0)
    assert losses(begun) == pytest.approx(losses(alone)[2:], rel=1e-4)
    folder = tmp_path / "two" / "rounded"
    assert losses(folder) == pytest.approx(losses(adapted), rel=0.01)
    ours, theirs = (
        load_file(run / "adapter" / "adapter_model.safetensors") for run in (folder, adapted)
    )
    assert ours.keys() == theirs.keys()


_SEVERAL_RUNS = """
import json, os, sys
from pathlib import Path
from finetune import train
from finetune.recipe import parse
train.multiplies_bfloat16 = lambda _: True  # slowly, where it must
for root, values in json.loads(sys.argv[1]):
    train.run(parse(values), Path(os.environ["RUNS"]) / root)
train.leave()
"""


def test_a_plain_lfm2_becomes_a_model_that_can_learn_to_speak(setting, tmp_path):
    """The published pre-training's beginning: new rows, a new projection, factors in the middle of their range."""
    source = Path(setting["model"])
    speaking = load_lm(source)
    plain = tmp_path / "lfm2"
    plain.mkdir()
    fields = json.loads((source / "config.json").read_text())
    speech = {
        name: fields[name]
        for name in (
            "vocab_size",
            "audio_tokens_start",
            "audio_step",
            "use_learnable_rope",
            "alpha_min",
            "alpha_max",
        )
    }
    kept = 80
    fields = {k: v for k, v in fields.items() if k not in speech} | {"vocab_size": kept}
    (plain / "config.json").write_text(json.dumps(fields))
    for name in ("tokenizer.json", "pronunciations.xz"):
        (plain / name).write_bytes((source / name).read_bytes())
    weights = {
        part.name: speaking.state_dict()[ours][part.rows].reshape(part.shape).clone()
        for ours, parts in checkpoint_parts(speaking).items()
        for part in parts
        if not ours.startswith(("alpha", "speaker"))
    }
    weights["model.embed_tokens.weight"] = weights["model.embed_tokens.weight"][:kept].clone()
    save_file(weights, plain / "model.safetensors")
    recipe = changed(setting, model=str(plain), start="lfm2", speech=speech, optimiser={"steps": 1})
    lm, _ = train.beginning.open_model(recipe)
    assert lm.config.vocab_size == speech["vocab_size"]
    torch.testing.assert_close(lm.embed_tokens.weight[:kept], speaking.embed_tokens.weight[:kept])
    new = lm.embed_tokens.weight[kept:]
    mean = speaking.embed_tokens.weight[:kept].mean(0)
    assert 0 < (new - mean).abs().max() < 1e-3
    assert lm.alphas().tolist() == pytest.approx([1.25])
    folder = train.run(recipe, tmp_path)
    assert isinstance(load_lm(folder / "model"), Lfm2)


def test_from_scratch_the_weights_are_new_and_the_dims_the_model_s(setting):
    lm, _ = train.beginning.open_model(changed(setting, start="scratch"))
    given = load_lm(setting["model"])
    assert lm.config == given.config
    assert not torch.equal(lm.embed_tokens.weight, given.embed_tokens.weight)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            {"highest": 4000},
            r"row \d+: code \d+ .* codebooks have 1000; the rows are of another codec",
        ),
        ({"speaker_dim": 192}, "a speaker of 192 numbers where the model takes 128"),
        ({"num": 0}, "has no rows"),
    ],
)
def test_rows_that_are_not_the_models_are_refused_by_name(setting, tmp_path, rows, message):
    folder = write_rows(tmp_path / "rows", **rows)
    with pytest.raises(ValueError, match=message):
        train.run(changed(setting, data={"train": [str(folder)]}), tmp_path)


def test_rows_that_cannot_be_used_are_counted_and_none_is_an_error(setting, tmp_path):
    with pytest.raises(ValueError, match=r"no row that can be used: 12 longer than max_s"):
        train.run(changed(setting, data={"max_s": 0.1}), tmp_path)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"data": {"train": ["nowhere/at/all.parquet"]}}, "there is no nowhere"),
        ({"model": "nobody"}, "no model 'nobody'"),
        ({"machine": {"attention": "flash_attention_2"}}, "flash-attn"),
        ({"watch": {"report_to": ["wandb"]}}, "wandb is not installed"),
    ],
)
def test_what_is_missing_is_said(setting, tmp_path, tables, message):
    if "wandb" in message and importlib.util.find_spec("wandb"):
        pytest.skip("wandb is installed")
    with pytest.raises((ValueError, KaniError), match=message):
        train.run(changed(setting, **tables), tmp_path)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"lora": {"rnak": 4}}, r"unknown key lora\.rnak; there are rank"),
        ({"sped": 1}, "unknown key sped"),
        ({"lora": {"rank": 64}}, "rank is not from 1 to 32"),
        ({"lora": {"targets": ["lm_head"]}}, "targets are among in_proj"),
        ({"optimiser": {"steps": "many"}}, r"optimiser\.steps is 'many', not int"),
        (
            {"machine": {"precision": "fp8"}},
            r"machine\.precision is 'fp8'; it can be float32, bf16",
        ),
        ({"watch": {"patience": 2}}, "patience wants validation rows"),
        ({"watch": {"report_to": ["mlflow"]}}, "report_to: "),
        ({"data": {"train": []}}, "data.train names no rows"),
        ({"name": "../up"}, "name is not a folder's name"),
        ({"start": "lfm2"}, "speech goes with"),
    ],
)
def test_a_recipe_with_a_mistake_is_refused_by_its_key(setting, tables, message):
    with pytest.raises(ValueError, match=message):
        changed(setting, **tables)


def test_a_recipe_that_is_no_toml_or_not_there_is_refused_by_name(tmp_path):
    path = tmp_path / "mine.toml"
    with pytest.raises(ValueError, match=r"there is no .*mine\.toml"):
        recipes.read(path)
    path.write_text("name = ")
    with pytest.raises(ValueError, match=r"mine\.toml: "):
        recipes.read(path)


@pytest.mark.parametrize("name", ["lora-tiny", "lora-full", "pretrain"])
def test_the_recipes_that_come_along_are_whole_and_say_what_to_expect(name):
    recipe = recipes.read(ROOT / "finetune" / "recipes" / f"{name}.toml")
    assert all(dataclasses.asdict(recipe.expected).values())


def test_the_learning_rate_is_transformers_cosine():
    optimization = pytest.importorskip("transformers.optimization")
    for step in range(100):
        theirs = optimization._get_cosine_schedule_with_warmup_lr_lambda(
            step, num_warmup_steps=10, num_training_steps=100, num_cycles=0.5
        )
        assert train.rate_share(step, 100, 10) == pytest.approx(theirs)
        assert train.rate_share(step, 100, 0.1) == pytest.approx(theirs)


def test_gradients_are_clipped_by_their_norm_together():
    weights = [torch.zeros(3, requires_grad=True), torch.zeros((), requires_grad=True)]
    weights[0].grad, weights[1].grad = torch.tensor([3.0, 0.0, 0.0]), torch.tensor(4.0)
    assert train.clip(weights, 10.0) == pytest.approx(5.0)
    assert weights[1].grad.item() == 4.0
    assert train.clip(weights, 1.0) == pytest.approx(5.0)
    assert math.hypot(3 / 5, weights[1].grad.item()) == pytest.approx(1.0)
