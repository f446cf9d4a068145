"""Where Terraform finds its providers when the machine carries a copy of them.

Terraform looks into its implied mirror folders by itself, but into no other without a CLI configuration. Machines that have no way to the
public registry often carry a mirror one level under /opt.
"""

from __future__ import annotations

from pathlib import Path

from longshore.settings import Settings
from longshore.steps.memory import write_atomically

PLACES = "/opt/*/registry.terraform.io/hashicorp/aws"


def configuration(settings: Settings, path: Path) -> Path | None:
    """Write a CLI configuration for a mirror that was found to PATH and return it; None where the user has one or there is no mirror."""
    own = Path(
        settings.environ.get("TF_CLI_CONFIG_FILE")
        or Path(settings.environ.get("HOME", "/root")) / ".terraformrc"
    )
    if own.exists():
        return None
    mirrors = sorted(Path("/").glob(PLACES.lstrip("/")))
    if not mirrors:
        return None
    mirror = mirrors[0].parent.parent.parent
    text = (
        f'provider_installation {{\n  filesystem_mirror {{\n    path    = "{mirror}"\n'
        '    include = ["registry.terraform.io/hashicorp/aws"]\n  }\n'
        '  direct {\n    exclude = ["registry.terraform.io/hashicorp/aws"]\n  }\n}\n'
    )
    if not path.exists() or path.read_text() != text:
        write_atomically(path, text)
    return path
