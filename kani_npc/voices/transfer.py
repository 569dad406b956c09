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
    revise: bool = False,
    etag: str = "",
) -> VoiceRecord:
    """Creates a voice from a file of `export_voice`, under `id` where one is given; or from a published `.pt` voice,
    which needs an `id` and the `space` of the encoder that made it.

    With `revise` it is the next revision of a voice that is there already: sounds as the file's does; what the file,
    or the caller, does not say stays as it is. With an `etag`, only if the voice still has it.

    Raises `BundleError`, and what `Registry.create` and `Registry.update` do.
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
    # Parts first: a voice is never there without what it is made of. But what is refused is not kept.
    parts = list(bundle.parts.values())
    if not revise:
        await registry.check_new(project, voice, bundle.parts)
        async with registry.records.keeping(project, parts):
            return await registry.create(project, voice, request_id=request_id)
    current = await registry.get(VoiceRecord, project, voice.id)
    await registry.check_changed(project, _revised(current, voice), current, bundle.parts)
    async with registry.records.keeping(project, parts):
        return await registry.update(
            VoiceRecord, project, voice.id, lambda current: _revised(current, voice), etag=etag
        )


def _revised(current: VoiceRecord, voice: VoiceRecord) -> VoiceRecord:
    """`current`, sounding as `voice` does, and changed otherwise where that says something."""
    said = {name: getattr(voice, name) for name in ("display_name", "licence", "labels", "consent")}
    sound = {name: getattr(voice, name) for name in VoiceRecord.HEARD + VoiceRecord.ORIGIN}
    sound["tag"] = voice.tag or current.tag
    if voice.embedding == current.embedding and not voice.clips:
        sound["clips"] = current.clips  # what it was made of is what it was
    return replace(current, **sound, **{name: value for name, value in said.items() if value})
