"""Where Terraform finds its providers when the machine has a mirror of them, and what tells which ones it uses.

Terraform reads its implied mirror folders on its own, any other only with a CLI configuration. Machines without access
to the public registry often have a mirror one level below /opt.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from longshore.files import Memory, write_if_changed
from longshore.settings.host import Host
from longshore.settings.model import Settings

PROGRAM = "terraform-provider-"  # how the name of one begins
MIRRORS = "opt/*/registry.terraform.io/hashicorp/aws"


def configuration(settings: Settings, path: Path) -> Path | None:
    """Write a CLI configuration for a mirror to PATH and return it; None if the user has one or there is no mirror."""
    mirrors = sorted(Path("/").glob(MIRRORS))
    if settings.host.terraform_config.exists() or not mirrors:
        return None
    text = (
        f'provider_installation {{\n  filesystem_mirror {{\n    path    = "{mirrors[0].parents[2]}"\n'
        '    include = ["registry.terraform.io/hashicorp/aws"]\n  }\n'
        '  direct {\n    exclude = ["registry.terraform.io/hashicorp/aws"]\n  }\n}\n'
    )
    write_if_changed(path, text)
    return path


def installed(folder: Path, memory: Memory) -> str:
    """Return a hash of the providers that Terraform has installed in FOLDER; empty where it has installed none.

    They are large (0.5 s for AWS's), so MEMORY keeps the hash of each; a program that was written since is read again.
    """
    known, hashes = memory.get("providers"), dict[str, str]()
    names = {}
    for top, _, files in os.walk(folder, followlinks=True):  # a mirror's are links
        for path in (Path(top, file) for file in files if file.startswith(PROGRAM)):
            status = path.stat()
            mark = f"{status.st_dev}-{status.st_ino}-{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"
            hashes[mark] = known.get(mark) or _hash(path)
            names[str(path.relative_to(folder))] = hashes[mark]
    if hashes != known:
        memory.put("providers", **hashes)
    return hashlib.sha256(repr(sorted(names.items())).encode()).hexdigest() if names else ""


def overrides(host: Host) -> str:
    """Return a hash of the CLI configuration and the programs that it puts in place of providers; empty without any."""
    made_of = []
    for file in (host.terraform_config, *sorted((host.home / ".terraform.d").glob("*.tfrc*"))):
        text = file.read_text(errors="replace", encoding="utf-8") if file.is_file() else ""
        if "dev_overrides" in text:
            folders = map(Path, re.findall(r'"([^"]+)"', text))
            programs = [path for folder in folders for path in sorted(folder.glob(f"{PROGRAM}*"))]
            made_of.append((text, [_hash(path) for path in programs if path.is_file()]))
    return hashlib.sha256(repr(made_of).encode()).hexdigest() if made_of else ""


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
