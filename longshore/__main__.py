"""The `longshore` program: what other programs call. People type `invoke`."""

from __future__ import annotations

import sys

USAGE = """usage: longshore eks-token --cluster-name NAME --region REGION [--endpoint-url URL] [--cache DIR]

eks-token   print a credential for an EKS cluster, as kubectl's exec plugins do
"""


def main() -> int:
    """Run the sub-command that the first word names; return the exit code."""
    words = sys.argv[1:]
    if words[:1] == ["eks-token"]:
        from longshore import eks_token

        return eks_token.main(words[1:])
    asked = words in (["--help"], ["-h"])
    print(USAGE, end="", file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main())
