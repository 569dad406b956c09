"""Lines, teachers, corpus and the codec's training, with a tone in place of the synthesisers."""

import copy
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice

import numpy as np
import pytest
import torch

from finetune.tiny import codec as training
from finetune.tiny import data, encode, teachers
from finetune.tiny.lines import (
    MAX_WORDS,
    is_held_out,
    lines,
    mixed,
    sentences,
    spoken_words,
    vocabulary,
)
from finetune.tiny.teachers import TEACHERS, TeacherError, speak
from finetune.tiny.together import ALONE, Team, together
from kani_npc.codec.source_filter import SourceFilterCodec, SourceFilterConfig
from kani_npc.errors import CodecError

SMALL = SourceFilterConfig(
    frame_channels=16,
    frame_blocks=1,
    hop_channels=16,
    hop_blocks=1,
    pitch_channels=8,
    pitch_blocks=1,
    encoder_channels=16,
    encoder_frame_channels=16,
    encoder_blocks=1,
)


def tone(teacher, text: str) -> tuple[np.ndarray, int]:
    """A buzz as long as the text, with silence around it, at the rate of flite."""
    time_s = np.arange(int(16_000 * (0.4 + 0.05 * len(text)))) / 16_000
    buzz = sum(np.sin(2 * np.pi * 140 * k * time_s) / k for k in range(1, 9))
    return np.pad(0.2 * buzz, 3_000), 16_000


@pytest.fixture
def corpus(tmp_path, monkeypatch, plain_english):
    """A recipe folder with one training shard and one held-out shard of buzzing."""
    if find_spec("pyworld") is None:
        pytest.skip("pyworld is not installed; it takes a C compiler")
    monkeypatch.setattr(teachers, "_run", tone)
    monkeypatch.setattr(data, "LINES_PER_SHARD", 3)
    monkeypatch.setattr(data, "HELD_OUT_LINES", 2)
    (tmp_path / "corpus").mkdir()
    for number in (0, data.FIRST_HELD_OUT_SHARD):
        data.make_shard(tmp_path / "corpus", TEACHERS[0], number, seed=0)
    return tmp_path


def test_the_same_seed_says_the_same_lines():
    assert list(islice(lines(3), 50)) == list(islice(lines(3), 50))
    assert list(islice(lines(3), 50)) != list(islice(lines(4), 50))


def test_lines_keep_to_the_vocabulary_and_to_their_length():
    known = set(vocabulary())
    for line in islice(lines(0), 3000):
        words = spoken_words(line)
        assert 1 <= len(words) <= MAX_WORDS and known.issuperset(words), line
        assert line[0].isupper() and line[-1] in ".!?" and "{" not in line


def test_about_three_lines_in_a_hundred_are_held_out_whatever_their_punctuation():
    share = np.mean([is_held_out(line) for line in islice(lines(1), 5000)])
    assert 0.02 < share < 0.045
    assert is_held_out("Hello, Anna!") == is_held_out("hello anna")
    assert all(is_held_out(line) for line in islice(lines(1, held_out=True), 20))
    assert not any(is_held_out(line) for line in islice(lines(1, held_out=False), 200))


def test_plain_sentences_are_wordnets_examples_of_sure_words(plain_english):
    assert "The dog barked all night; it was cold." in plain_english
    assert "Who let the cat out?" in plain_english
    assert not any("Zzyzx" in text or text == "Cats." for text in plain_english)
    said = list(islice(sentences(0, held_out=False), 2 * len(plain_english)))
    assert not any(map(is_held_out, said))
    assert set(said) == {text for text in plain_english if not is_held_out(text)}


def test_some_of_what_is_said_is_plain_and_nothing_of_it_held_out(plain_english):
    said = list(islice(mixed(1, held_out=False), 1000))
    assert not any(map(is_held_out, said))
    assert 0.7 < np.mean([text in plain_english for text in said]) < 0.8


def test_a_spoken_line_has_fixed_lead_in_level_and_whole_frames(monkeypatch):
    monkeypatch.setattr(teachers, "_run", tone)
    samples = speak(TEACHERS[0], "Hello.")
    assert samples.dtype == np.float32 and len(samples) % 1764 == 0
    onset = int(np.argmax(np.abs(samples) > 0.01))
    assert 850 < onset < 900  # 40 ms
    assert 0.08 < np.sqrt(np.mean(samples[2000:8000] ** 2)) < 0.12
    assert not samples[-1200:].any()


def test_a_silent_teacher_is_an_error(monkeypatch):
    monkeypatch.setattr(teachers, "_run", lambda *_: (np.zeros(16_000), 16_000))
    with pytest.raises(TeacherError, match="silent"):
        speak(TEACHERS[0], "Hello.")


def test_a_shard_gives_back_lines_sound_and_pitch(corpus):
    held_out, trained = sorted(data.shards(corpus / "corpus"), key=lambda shard: -shard.is_held_out)
    assert [shard.is_held_out for shard in (held_out, trained)] == [True, False]
    assert [len(held_out.utterances), len(trained.utterances)] == [2, 3]
    for utterance in trained.utterances:
        samples, f0 = trained.samples(utterance), trained.f0(utterance)
        assert len(samples) == utterance.samples == 252 * len(f0)
        assert np.median(f0[f0 > 0]) == pytest.approx(140, abs=2)
        assert not is_held_out(utterance.text)


def test_a_finished_shard_is_not_made_again(corpus, monkeypatch):
    made = {index.name for index in (corpus / "corpus").glob("*.jsonl")}
    monkeypatch.setattr(data, "_jobs", lambda hours: [(TEACHERS[0], 0)])
    monkeypatch.setattr(data, "ProcessPoolExecutor", _RefusingPool)
    data.run(corpus / "corpus", hours=1)
    assert {index.name for index in (corpus / "corpus").glob("*.jsonl")} == made


class _RefusingPool:
    def __init__(self, processes: int) -> None: ...

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None: ...

    def submit(self, *job):
        raise AssertionError(f"made again: {job}")


def test_codec_trains_is_resumed_and_encodes_the_corpus(corpus, monkeypatch):
    monkeypatch.setattr(training, "DIMS", SMALL)
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 2)
    threads = torch.get_num_threads()
    training.run(corpus, steps=2, minutes=5, threads=threads)
    training.run(corpus, steps=4, minutes=5, threads=threads)
    kept = torch.load(corpus / "codec_joint.pt", weights_only=True)
    assert kept["step"] == 4

    encode.run(corpus, threads=threads)
    codes = [
        codes_KF
        for shard in data.shards(corpus / "corpus")
        for codes_KF in encode.shard_codes(
            corpus, shard.name, [u.samples for u in shard.utterances]
        )
    ]
    spoken = [u for shard in data.shards(corpus / "corpus") for u in shard.utterances]
    assert [1764 * piece.shape[1] for piece in codes] == [u.samples for u in spoken]
    codec = SourceFilterCodec.from_folder(
        corpus / "codec", encoder=corpus / "codec" / "codec_encoder.safetensors"
    )
    first = data.shards(corpus / "corpus")[0]
    alone_KF = codec.encode(torch.from_numpy(first.samples(spoken[0])))
    assert np.array_equal(alone_KF.numpy(), codes[0])

    training.run(corpus, steps=2, minutes=5, freeze_encoder=True, threads=threads)
    frozen = torch.load(corpus / "codec_decoder.pt", weights_only=True)["weights"]
    for name, weight in kept["weights"].items():
        assert torch.equal(weight, frozen[name]) == name.startswith("_encoder."), name


def two_steps(team: Team, trainer: training.Trainer, batch: training.Batch) -> None:
    trainer.team = team
    trainer.step = 1000  # past the warm-up
    for _ in range(2):
        trainer.train(batch.share(team), 0.5)
    trainer.save()


def test_two_processes_learn_what_one_does_from_the_mean_of_their_losses(tmp_path, monkeypatch):
    given = SourceFilterCodec(SMALL, with_encoder=True)
    mine, others, alone = (
        training.Trainer(copy.deepcopy(given), "joint", tmp_path / f"{name}.pt", seed=0)
        for name in ("mine", "others", "alone")
    )
    generator = torch.Generator().manual_seed(0)
    samples_BN = 0.1 * torch.randn(8, 4 * 1764, generator=generator)
    batch = training.Batch(samples_BN, torch.full((8, 4 * 7), 140.0), None)
    with together(2, two_steps, others, batch) as team:
        two_steps(team, mine, batch)
    assert (tmp_path / "mine.pt").exists()
    assert not (tmp_path / "others.pt").exists()

    of_one = alone._forward

    def of_both(whole: training.Batch, rng: np.random.Generator):
        pairs = [of_one(whole.share(Team(rank, 2)), copy.deepcopy(rng)) for rank in range(2)]
        return (pairs[0][0] + pairs[1][0]) / 2, pairs[0][1]

    monkeypatch.setattr(alone, "_forward", of_both)
    two_steps(ALONE, alone, batch)
    theirs, before = alone.codec.state_dict(), given.state_dict()
    for name, weight in mine.codec.state_dict().items():
        torch.testing.assert_close(weight, theirs[name], atol=1e-5, rtol=1e-4, msg=name)
    assert max((theirs[name] - before[name]).abs().max() for name in before) > 3e-4


def test_a_step_that_processes_cannot_share_is_refused(tmp_path):
    with pytest.raises(ValueError, match="cannot share the 8 segments"):
        training.run(tmp_path, threads=3, processes=3)


def small_folder(path, dims: SourceFilterConfig) -> SourceFilterCodec:
    torch.manual_seed(1)
    codec = SourceFilterCodec(dims, with_encoder=True)
    codec.save(path, encoder=path / "codec_encoder.safetensors")
    return codec.serve()


def test_a_codec_goes_on_from_a_folder_with_fewer_blocks_as_it_was(tmp_path, monkeypatch):
    given = small_folder(tmp_path / "given", SMALL)
    dims = replace(SMALL, frame_blocks=3, pitch_blocks=2)
    monkeypatch.setattr(training, "_NEARLY_NONE", 0.0)
    grown = SourceFilterCodec(dims, with_encoder=True)
    training.take_over(grown, tmp_path / "given")
    codes = torch.randint(1000, (4, 6))
    assert torch.equal(grown.serve().decode(codes), given.decode(codes))
    samples = torch.rand(1764 * 3) - 0.5
    assert torch.equal(grown.encode(samples), given.encode(samples))


def test_a_codec_of_another_form_is_refused(tmp_path):
    small_folder(tmp_path / "given", replace(SMALL, hop_blocks=2))
    with pytest.raises(CodecError, match="another form"):
        training.take_over(SourceFilterCodec(SMALL, with_encoder=True), tmp_path / "given")


def test_no_steps_hand_a_codec_on_to_encode(corpus, monkeypatch, tmp_path):
    given = small_folder(tmp_path / "given", SMALL)
    monkeypatch.setattr(training, "DIMS", replace(SMALL, frame_blocks=2))
    threads = torch.get_num_threads()
    training.run(corpus, steps=0, init=tmp_path / "given", threads=threads)
    encode.run(corpus, threads=threads)
    shard = data.shards(corpus / "corpus")[0]
    codes = encode.shard_codes(corpus, shard.name, [u.samples for u in shard.utterances])
    sound = torch.from_numpy(shard.samples(shard.utterances[0]))
    assert np.array_equal(codes[0], given.encode(sound).numpy())


def test_a_checkpoint_of_other_dims_is_refused_by_its_name(corpus, monkeypatch):
    monkeypatch.setattr(training, "DIMS", SMALL)
    training.run(corpus, steps=1, threads=torch.get_num_threads())
    monkeypatch.setattr(training, "DIMS", replace(SMALL, frame_blocks=2))
    with pytest.raises(CodecError, match=r"codec_joint\.pt is of a codec with other dims"):
        training.run(corpus, steps=2, threads=torch.get_num_threads())


def vowels(pitch_hz: float, formants_hz: tuple[float, ...]) -> torch.Tensor:
    """Half a second for each formant, [1, N]."""
    time_s = torch.arange(11_025) / 22_050
    harmonics_hz = pitch_hz * torch.arange(1, 60)[:, None]
    sounds = [
        (torch.sin(2 * torch.pi * harmonics_hz * time_s) / (1 + ((harmonics_hz - f) / 200) ** 2))
        for f in formants_hz
    ]
    return 0.1 * torch.cat([sound.sum(dim=0) for sound in sounds])[None]


def test_the_cepstral_loss_hears_formants_rather_than_pitch_or_level():
    loss = training.CepstralLoss()
    said = vowels(110, (500, 1500))
    assert loss(said, said) == 0
    assert loss(vowels(110, (500, 2000)), said) > 4 * loss(vowels(116, (500, 1500)), said)
    # A louder sound differs by a constant in the first coefficient alone, in no slope.
    noise = torch.randn(1, 22_050, generator=torch.Generator().manual_seed(0)) / 10
    made, true = loss._features(2 * noise), loss._features(noise)
    assert made[0][:, 1:].allclose(true[0][:, 1:], atol=0.05)
    assert (made[0] - true[0])[:, 0].mean() == pytest.approx(np.log(4) * np.sqrt(2 * 26), rel=0.01)
    assert made[1].allclose(true[1], atol=0.05)


def test_a_batch_depends_on_seed_and_step_only(corpus):
    segments = training.Segments(training._spoken(corpus))
    one, same, other = (segments.batch(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.samples_BN, same.samples_BN) and torch.equal(one.f0_BT, same.f0_BT)
    assert not torch.equal(one.samples_BN, other.samples_BN)
