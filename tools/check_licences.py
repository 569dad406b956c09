"""Reads the licence of every package installed in this environment and refuses what may not be there.

`python tools/check_licences.py` prints what it looked at and exits 1 if a package is under a licence that is
not on the list below, or names none. Works from installed metadata only: no network, and no opinion on files
bundled inside a package beyond what that package declares.
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from typing import Literal

PERMITTED = {
    "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python",
    "HPND", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib",
    "MPL-2.0",  # per file, and none of its files is changed here
}  # fmt: skip

# The LGPL asks that a user can replace the library. These are separate packages, so that holds; any other
# package under it is to be looked at first.
LGPL_REVIEWED = {
    "num2words": "pure Python, imported as an installed package",
    "soxr": "a shared extension module, imported as an installed package",
}

# Packages whose metadata says nothing (or nothing clear), with what their own files say.
REVIEWED = {
    "pyworld": ("MIT", "the LICENSE file of its source; a training extra only"),
}

CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}

# What people write where an SPDX name was asked for.
SPELLINGS = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "mit license": "MIT",
}

Verdict = Literal["permitted", "reviewed", "refused"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One package and what was decided about it."""

    package: str
    version: str
    licence: str
    verdict: Verdict
    reason: str = ""


def declared(distribution: Distribution) -> str:
    """The licence a package declares, as an SPDX expression where that can be told; "" if it names none.

    The newer `License-Expression` field counts first (PEP 639), then the classifiers, then the free-text
    field if it is one line.
    """

    def field(name: str) -> list[str]:
        return distribution.metadata.get_all(name) or []

    for expression in field("License-Expression"):
        return expression
    classifiers = [line.split(" :: ")[-1] for line in field("Classifier") if "License ::" in line]
    known = [CLASSIFIERS.get(name, name) for name in classifiers if name != "DFSG approved"]
    if known:
        return " AND ".join(dict.fromkeys(known))
    text = "".join(field("License")).strip()
    return "" if "\n" in text else SPELLINGS.get(text.lower(), text)


def permitted(expression: str, allowed: Iterable[str]) -> bool:
    """Whether an SPDX expression can be met: every AND part, and one of each OR's alternatives.

    Parentheses are read as flat, so that a nested OR counts only if all of what is around it is allowed too.
    """
    allowed = set(allowed)

    def one(name: str) -> bool:
        return re.sub(r" WITH .*", "", name.strip(" ()")) in allowed

    return bool(expression) and all(
        any(one(name) for name in part.split(" OR ")) for part in expression.split(" AND ")
    )


def judge(package: str, version: str, licence: str) -> Finding:
    """The verdict on one package."""
    name = re.sub(r"[-_.]+", "-", package).lower()
    if name in REVIEWED and not licence:
        licence, reason = REVIEWED[name]
        return Finding(package, version, licence, "reviewed", reason)
    if name.startswith("nvidia-"):
        reason = "run-time library of a CUDA build of torch, under NVIDIA's own terms; kani-npc ships none"
        return Finding(package, version, licence or "NVIDIA", "reviewed", reason)
    if permitted(licence, PERMITTED):
        return Finding(package, version, licence, "permitted")
    if licence.startswith("LGPL") and name in LGPL_REVIEWED:
        return Finding(package, version, licence, "reviewed", LGPL_REVIEWED[name])
    reason = "not on the list" if licence else "names no licence"
    return Finding(package, version, licence or "none", "refused", reason)


def main() -> int:
    findings = sorted(
        (
            judge(found.metadata["Name"], found.version, declared(found))
            for found in distributions()
            if found.metadata["Name"] != "kani-npc"
        ),
        key=lambda finding: finding.package.lower(),
    )
    for finding in findings:
        if finding.verdict != "permitted":
            print(
                f"{finding.verdict}: {finding.package} {finding.version}, {finding.licence} ({finding.reason})"
            )
    refused = sum(finding.verdict == "refused" for finding in findings)
    print(f"licences: {len(findings)} packages, {refused} refused")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
