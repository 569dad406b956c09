"""From a model's name to its folder: the shipped one, a folder, or a repository on the hub.

A hub name is fetched when it is named and not otherwise, with a progress bar. Knows what published weights are
called and under which licence, nothing of what is inside.
"""

import hashlib
import re
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path

from kani_npc.errors import HubError, ModelError

TINY = "tiny"
PUBLISHED_CODEC = "nvidia/nemo-nano-codec-22khz-0.6kbps-12.5fps"
PUBLISHED_SPEAKER_ENCODER = "nineninesix/speaker-emb-tbr"
HUB_TIMEOUT_S = 10.0

_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_SOUNDING = ("config.json", "model*.safetensors", "tokenizer*.json", "pronunciations.xz")
_FETCHED = ["*.json", "*.safetensors", "*.nemo", "LICENSE*"]  # never pickles


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that has a name. `folder` is where it lies on this machine, None if naming it would fetch it."""

    name: str
    what: str
    licence: str
    folder: Path | None = None


SHIPPED = KnownModel(
    TINY, "small English voices, shipped", "Apache-2.0", Path(__file__).parent / TINY
)
PUBLISHED = (
    KnownModel("nineninesix/kani-tts-2-en", "KaniTTS2, English", "LFM Open License v1.0"),
    KnownModel(PUBLISHED_CODEC, "codec of KaniTTS2", "NVIDIA Open Model License"),
    KnownModel(PUBLISHED_SPEAKER_ENCODER, "speaker encoder of KaniTTS2", "CC-BY-SA-3.0"),
)
UNKNOWN_LICENCE = "see its page on the hub"


def resolve_model(name: str) -> Path:
    """The folder of a model: `tiny`, a folder, or `organisation/name` on the hub, which is fetched if need be.

    Raises `ModelError` for what is none of them, `HubError` for what cannot be fetched.
    """
    if name == TINY and SHIPPED.folder and (SHIPPED.folder / "config.json").exists():
        return SHIPPED.folder
    if name and Path(name).is_dir():
        # Said here: with the codec still to be fetched, the hub would be asked first.
        if not (Path(name) / "config.json").exists():
            raise ModelError(f"{name} is no model folder: it has no config.json")
        return Path(name)
    if _HUB_NAME.fullmatch(name):
        return _fetch(name)
    raise ModelError(
        f"no model {name!r}: not a folder, not organisation/name on the hub, not shipped; see `kani-npc models`"
    )


def resolve_codec(name: str | None, model_folder: Path) -> Path | None:
    """The codec for a model: what `name` says (a .nemo file, a folder, a hub name), else the model folder's own.

    None is the model folder's own; a folder without one takes the published codec. Raises as `resolve_model`.
    """
    if name is None and (model_folder / "codec").exists():
        return None
    name = name or PUBLISHED_CODEC
    if Path(name).exists():
        return Path(name)
    if not _HUB_NAME.fullmatch(name):
        raise ModelError(
            f"no codec {name!r}: not a .nemo file, not a folder, not organisation/name on the hub"
        )
    folder = _fetch(name)
    return next(iter(sorted(folder.glob("*.nemo"))), folder)


def resolve_speaker_encoder(name: str | None, model_folder: Path, space: str) -> Path:
    """The speaker encoder for a model that takes embeddings of `space`: what `name` says (a folder, a hub name), else
    the model folder's own, else the one on the hub that the space is named after.

    Raises `ModelError` where there is none, `HubError` for what cannot be fetched.
    """
    own = model_folder / "speaker"
    if name is None and own.exists():
        return own
    if name is None and space != PUBLISHED_SPEAKER_ENCODER:
        raise ModelError(
            "this model came without a speaker encoder; to enrol voices, start the server with --speaker-encoder"
        )
    name = name or PUBLISHED_SPEAKER_ENCODER
    if Path(name).is_dir():
        return Path(name)
    if not _HUB_NAME.fullmatch(name):
        raise ModelError(
            f"no speaker encoder {name!r}: not a folder, not organisation/name on the hub"
        )
    return _fetch(name)


def content_hash(folder: Path, codec: Path, *more: str) -> str:
    """Of all files by which a model and its codec sound as they do, and of what else decides it. 0.6 s a gigabyte.

    Voices are not among them, nor defaults, which a line brings along, nor what is for people to read.
    """
    digest = hashlib.sha256(repr(more).encode())
    parts = [path for names in _SOUNDING for path in sorted(folder.glob(names))]
    for path in [*parts, codec, *sorted(codec.rglob("*"))]:
        if path.is_file():
            with path.open("rb") as file:
                digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def list_models() -> list[KnownModel]:
    """What can be named: the shipped model, the published ones, and what else the hub's cache holds."""
    cached = _cached()
    known = [replace(m, folder=cached.pop(m.name, None)) for m in PUBLISHED]
    others = [
        KnownModel(name, "", UNKNOWN_LICENCE, folder) for name, folder in sorted(cached.items())
    ]
    return [SHIPPED, *known, *others]


def _fetch(name: str) -> Path:
    """A repository's folder in the hub's cache, brought up to date where there is a network."""
    try:
        from huggingface_hub import constants, snapshot_download
    except ImportError:
        raise HubError(
            f"{name} is a hub name; fetching needs `pip install 'kani-npc[hub]'`, or pass a folder"
        ) from None
    offline = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else None
    trouble = offline or _trouble(f"{constants.ENDPOINT}/api/models/{name}")
    try:
        return Path(
            snapshot_download(name, allow_patterns=_FETCHED, local_files_only=trouble is not None)
        )
    except Exception as error:  # the hub's library raises its own, httpx's and the system's
        cause = trouble or str(error).strip().partition("\n")[0] or type(error).__name__
        raise HubError(f"{name} could not be fetched from the hub: {cause}") from error


def _trouble(url: str) -> str | None:
    """Why nobody answers there, None if somebody does.

    Asked before the hub's library is: behind a network that swallows packets it waits for more than ten minutes.
    """
    try:
        urllib.request.urlopen(url, timeout=HUB_TIMEOUT_S).close()
    except urllib.error.HTTPError:
        return None  # an answer; the library explains it better
    except OSError as error:
        return str(getattr(error, "reason", error))
    return None


def _cached() -> dict[str, Path]:
    """Models in the hub's cache: name -> folder of the newest snapshot. Empty without the hub's library."""
    try:
        from huggingface_hub import scan_cache_dir
        from huggingface_hub.errors import CacheNotFound
    except ImportError:
        return {}
    try:
        repositories = scan_cache_dir().repos
    except CacheNotFound:
        return {}
    return {
        r.repo_id: max(r.revisions, key=lambda v: v.last_modified).snapshot_path
        for r in repositories
        if r.repo_type == "model" and r.revisions
    }
