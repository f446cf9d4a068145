"""The `longshore` program, which other programs call; people use `invoke`."""

from __future__ import annotations

import sys

from longshore.kubernetes import eks_token

USAGE = """usage: longshore eks-token --cluster-name NAME --region REGION [--endpoint-url URL] [--cache DIR]

eks-token   print a token for an EKS cluster, in the format of a kubectl credential plugin

To deploy, use `invoke`: `invoke --list` shows the commands.
"""


def main() -> int:
    """Run the subcommand that the first argument names; return the exit code."""
    words = sys.argv[1:]
    if words[:1] == ["eks-token"]:
        return eks_token.main(words[1:])
    is_help = words in (["--help"], ["-h"])
    print(USAGE, end="", file=sys.stdout if is_help else sys.stderr)
    return 0 if is_help else 2


if __name__ == "__main__":
    sys.exit(main())
