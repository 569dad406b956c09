"""Writes the `.meta` files of the Unity package, or with `--check` says which are missing or left over.

Unity knows an asset by the GUID in its `.meta` file, and a package from git is read-only: without these files it is not
imported. A GUID here is a digest of the asset's place in the package, so that it never changes.
"""

import hashlib
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "clients/unity/com.kani-npc.voice"

_IMPORTERS = {
    "": "folderAsset: yes\nDefaultImporter:",
    ".cs": "MonoImporter:\n  serializedVersion: 2\n  defaultReferences: []\n"
    "  executionOrder: 0\n  icon: {instanceID: 0}",
    ".asmdef": "AssemblyDefinitionImporter:",
    ".md": "TextScriptImporter:",
    ".json": "PackageManifestImporter:",
}
_REST = "\n  externalObjects: {}\n  userData: \n  assetBundleName: \n  assetBundleVariant: \n"


def metas() -> dict[Path, str]:
    """The `.meta` files that belong to what is there: place in the package -> text. Unity ignores names with ~."""
    found = {}
    for path in sorted(PACKAGE.rglob("*")):
        place = path.relative_to(PACKAGE)
        if path.suffix == ".meta" or any(part.endswith("~") for part in place.parts):
            continue
        guid = hashlib.md5(f"com.kani-npc.voice/{place.as_posix()}".encode()).hexdigest()
        importer = _IMPORTERS["" if path.is_dir() else path.suffix]
        found[Path(f"{place}.meta")] = f"fileFormatVersion: 2\nguid: {guid}\n{importer}{_REST}"
    return found


def main(arguments: list[str]) -> int:
    wanted = metas()
    there = {p.relative_to(PACKAGE): p.read_text("utf-8") for p in PACKAGE.rglob("*.meta")}
    stale = sorted(p for p in wanted.keys() | there.keys() if wanted.get(p) != there.get(p))
    if "--check" in arguments:
        if stale:
            names = ", ".join(map(str, stale))
            print(f"not as they should be: {names}; run `make proto`", file=sys.stderr)
        return 1 if stale else 0
    for place in stale:
        if place in wanted:
            (PACKAGE / place).write_text(wanted[place], encoding="utf-8")
        else:
            (PACKAGE / place).unlink()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
