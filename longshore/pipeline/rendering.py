"""Templates of the pipelines' files, filled in."""

from __future__ import annotations

from pathlib import Path


def render(template: str, **values: object) -> str:
    """Return TEMPLATE, a file beside this module, with VALUES. Raises jinja2.UndefinedError for one that is missing."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # noqa: S701  # nosec B701 - YAML, of settings that were checked against patterns
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["text"] = text
    return environment.get_template(template).render(**values)


def text(value: str) -> str:
    """Return VALUE, a path of the user's, so that every reader of YAML takes it for a text."""
    import yaml

    return f'"{value}"' if value[:1].isdigit() or yaml.safe_load(value) != value else value
