"""Voices out of a registry into files, and back in. `bundle.py` knows the file, the registry what may be written."""

from dataclasses import replace

from kani_npc.errors import BundleError, InvalidRecord
from kani_npc.voices.bundle import Bundle, part_names, read_bundle, read_pt, write_bundle
from kani_npc.voices.consent import Consent
from kani_npc.voices.names import VoiceRef
from kani_npc.voices.records import VoiceRecord
from kani_npc.voices.registry import Registry

_ZIP = b"PK\x03\x04"  # how torch.save's files begin


async def export_voice(
    registry: Registry, project: str, name: str, *, with_clips: bool = False
) -> bytes:
    """The file of a voice, `id` or `id@revision`. A voice whose consent does not hold is not exported.

    Raises what `Registry.cast` does for the voice, `ArtefactMissing`, and `BundleError` for one that is too large.
    """
    voice = (await registry.cast(project, voice=name)).voice_record
    parts = {
        sha256: await registry.records.get_artefact(project, sha256)
        for sha256 in part_names(voice, with_clips=with_clips)
    }
    return write_bundle(Bundle(voice, parts))


async def import_voice(
    registry: Registry,
    project: str,
    data: bytes,
    *,
    id: str = "",
    consent: Consent | None,
    space: str = "",
    request_id: str = "",
) -> VoiceRecord:
    """Creates a voice from a file of `export_voice`, under `id` where one is given; or from a published `.pt` voice,
    which needs an `id` and the `space` of the encoder that made it.

    Raises `BundleError`, and what `Registry.create` does.
    """
    if data.startswith(_ZIP):
        for field, value in (("id", id), ("space", space)):
            if not value:
                raise InvalidRecord(f"a .pt file does not say its {field}; give one", field=field)
        bundle = Bundle(read_pt(data, id=id, space=space))
    else:
        bundle = read_bundle(data)
    if unknown := set(bundle.parts) - set(part_names(bundle.voice, with_clips=True)):
        raise BundleError(f"the voice file has {len(unknown)} parts that its voice does not name")
    voice = replace(
        bundle.voice, id=VoiceRef.parse(id).id if id else bundle.voice.id, consent=consent
    )
    await registry.check_new(project, voice)
    # Parts first: a voice is never there without what it is made of.
    async with registry.records.keeping(project, list(bundle.parts.values())):
        return await registry.create(project, voice, request_id=request_id)
