"""The kinds of values in longshore.toml.

A `description` says in words what the constraint beside it accepts; the error about any other value quotes it.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Seconds = Annotated[float, Meta(ge=0, le=86400, description="0 to 86400 seconds")]
Deadline = Annotated[float, Meta(ge=1, le=86400, description="1 to 86400 seconds")]
Share = Annotated[float, Meta(ge=0, le=1, description="a share from 0 to 1")]
Cores = Annotated[float, Meta(ge=0, description="0 or more cores")]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")]
FreePort = Annotated[int, Meta(ge=1024, le=65535, description="a port from 1024 to 65535")]

_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6([0-4][0-9]{3}|5([0-4][0-9]{2}|5([0-2][0-9]|3[0-5]))))"
Resolver = Annotated[
    str, Meta(pattern=rf"^{_BYTE}(\.{_BYTE}){{3}}(:{_PORT})?\Z", description="an IPv4 address, with or without a port")
]

# The rule of terraform/variables.tf. Whether there is such a region, botocore's data says when it is first used.
Region = Annotated[
    str, Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]\Z", description="a region of AWS, such as eu-central-1")
]
Account = Annotated[
    str, Meta(pattern=r"^([0-9]{12})?\Z", description="the number of an AWS account, which has 12 digits")
]

Variable = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*\Z", description="the name of an environment variable")]

# What uv is told: none of them is an option.
Python = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9/][A-Za-z0-9._/+@-]*\Z|^\Z", description="a version of Python such as 3.12, or a program"
    ),
]
Requirement = Annotated[
    str,
    Meta(
        pattern=r"^(\.\[[\w., -]+\]|[A-Za-z0-9][^\x00-\x1f]*)\Z",
        description="a file of requirements, a requirement, or extras of the project such as .[test]",
    ),
]
Group = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", description="a dependency group of pyproject.toml")
]

# It stands on the console, in reports and in a comment of the pipelines' files.
Reason = Annotated[
    str,
    Meta(pattern=r"^(?=.*\w)[^\x00-\x1f\x7f-\x9f\u2028\u2029]+\Z", description="a sentence that says why, in one line"),
]

# The rules of terraform/variables.tf: AWS limits the length of the names that are made from these two, ECR takes no two
# dashes in a row, security groups have no name in `sg-`, and Kubernetes' own namespaces are no project's.
_LETTERS = "lower-case letters, digits and dashes, from a letter to a letter or digit"
ProjectName = Annotated[
    str,
    Meta(
        pattern=r"^(?!kube-|sg-|default\Z|.*--)[a-z][a-z0-9-]{0,14}[a-z0-9]\Z",
        description=f"a name of 2 to 16 {_LETTERS}, not `default` nor with `--`, and not from `kube-` or `sg-` on",
    ),
]
Namespace = Annotated[
    str,
    Meta(
        pattern=r"^(?!kube-|default\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?\Z",
        description="a namespace of its own, of up to 63 lower-case letters, digits and dashes",
    ),
]
# A key of a Kubernetes Secret, and with `_FILE` behind it the name of a variable.
SecretName = Annotated[
    str,
    Meta(
        pattern=r"^(?!\.\.|\.\Z)[A-Za-z._-][A-Za-z0-9._-]{0,252}\Z",
        description="a name of a file and a variable: letters, digits, dots, dashes, underscores",
    ),
]
EnvironmentName = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9-]{0,19}[a-z0-9]\Z", description=f"a name of 2 to 21 {_LETTERS}")
]

Inside = Annotated[
    str,
    Meta(
        pattern=r"^(?!/)(?!(.*/)?\.{0,2}(/|\Z))[^\0]+\Z", description="a path inside the project, such as reports/a.xml"
    ),
]
# One that is written into the pipelines' files.
Plain = Annotated[
    str,
    Meta(
        pattern=r"^(?![/-])(?!(.*/)?\.{0,2}(/|\Z))[A-Za-z0-9._/-]+\Z",
        description="a path inside the project of letters, digits, dots, dashes, underscores, such as reports/a.xml",
    ),
]
Folder = Annotated[
    str,
    Meta(
        pattern=r"^(\.|(?!/)(?!(.*/)?\.{0,2}(/|\Z))[^\0]+)\Z",
        description='a folder of the project, such as src, or "."',
    ),
]
Route = Annotated[
    str,
    Meta(pattern=r"^(?!.*[?#])/[!-~]*\Z", description="a path at the application's address in ASCII, such as /healthz"),
]
InContainer = Annotated[
    str,
    Meta(
        pattern=r"^(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._-]+)+\Z", description="a folder in the container, such as /srv/files"
    ),
]
# A step's log is named after it, and so are a suite's reports, also in the pipelines' files.
StepName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z",
        description="a name of letters, digits, dashes, dots, underscores, at most 64",
    ),
]
Word = Annotated[str, Meta(min_length=1, description="a program or an argument")]
# It stands in YAML or in a Dockerfile.
Image = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][\w.-]*(:[\w.-]+)?((/[\w.-]+)+(:[\w.-]+)?)?(@sha256:[0-9a-f]{64})?\Z",
        description="an image, best by its digest",
    ),
]
