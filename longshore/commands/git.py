"""What is asked of git. Names are separated by NUL, since they may hold anything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from longshore.process.command import Command, query

# A user's hooks, monitors and sparse checkouts are about their own index; ours is a plain one. And what recurses from
# ours into a submodule would move the user's.
_OFF = ("core.fsmonitor", "core.splitIndex", "core.sparseCheckout", "submodule.recurse", "advice.addEmbeddedRepo")
_SAFE = ("--no-replace-objects", "-c", "core.hooksPath=/dev/null")  # a commit is what its name says, and nothing else
PLAIN = ("git", *_SAFE, *(word for key in _OFF for word in ("-c", f"{key}=false")))
# What a user wishes of line ends and links is about the working tree: a commit gives everybody the same files.
_SAME = ("core.autocrlf=false", "core.eol=lf", "core.symlinks=true", "core.attributesFile=/dev/null")
SAME = tuple(word for setting in _SAME for word in ("-c", setting))
ALONE = {"GIT_ATTR_NOSYSTEM": "1"}
# Virtualenvs and tools' folders are never sources, whether or not a project ignores them.
NOT_SOURCES = tuple(f":(exclude,glob)**/{name}/**" for name in (".venv", ".nox", ".tox", ".longshore"))
TAKES = ("SUDO_UID",)  # under sudo, git trusts a checkout of the user who called sudo
# How a remote is reached, and who asks it. GitLab's runner and desktops have helpers that need the last two.
REMOTE = (
    *("SSH_AUTH_SOCK", "SSH_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS"),
    *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY"),
    *("CI_JOB_TOKEN", "DBUS_SESSION_BUS_ADDRESS"),
)
_git = partial(query, *PLAIN, takes=TAKES)
_remote = partial(query, *PLAIN, takes=(*TAKES, *REMOTE))
_QUIET = {"GIT_TERMINAL_PROMPT": "0"}
_NAMED = "longshore-asks"  # a URL goes by this name, since it may hold a password, which no argument or file may


def named(url: str, settings: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """Return how git finds URL, with SETTINGS."""
    config: dict[str, str] = {}
    for number, (key, value) in enumerate(((f"remote.{_NAMED}.url", url), *settings)):
        config |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {**config, "GIT_CONFIG_COUNT": str(len(config) // 2)}


def describe(folder: Path) -> Command:
    """Where the repository around FOLDER is, and the commit and tree of FOLDER at HEAD: eight lines.

    They are: whether it is bare, its git folder, index, objects and attributes, commit, tree, and FOLDER's place below
    its top.
    """
    paths = (word for name in ("index", "objects", "info/attributes") for word in ("--git-path", name))
    asked = ("--is-bare-repository", "--absolute-git-dir", *paths)
    return _git("rev-parse", *asked, "HEAD", "HEAD:./", "--show-prefix", cwd=folder, deadline=10)


def add_all(folder: Path, env: Mapping[str, str]) -> Command:
    """Bring the index that ENV names up to date with FOLDER: tracked files, and new ones that git does not ignore."""
    return _git("add", "--all", "--", ".", *NOT_SOURCES, cwd=folder, env=env, deadline=300)


def flags(folder: Path, env: Mapping[str, str]) -> Command:
    """The index's entries below FOLDER: `S` in front stands for skip-worktree, a small letter for assume-unchanged."""
    return _git("ls-files", "-v", "-z", "--cached", cwd=folder, env=env, deadline=60)


def clear_flag(folder: Path, env: Mapping[str, str], flag: str, names: str) -> Command:
    """Take FLAG (`skip-worktree`, `assume-unchanged`) off the files NAMES, NUL after each: git looks at them again."""
    argv = ("update-index", f"--no-{flag}", "-z", "--stdin")
    return _git(*argv, cwd=folder, env=env, stdin=names, deadline=60)


def write_tree(folder: Path, env: Mapping[str, str], prefix: str) -> Command:
    """Keep the index as a tree; print the id of its part below PREFIX."""
    part = (f"--prefix={prefix}",) if prefix else ()
    return _git("write-tree", *part, cwd=folder, env=env, deadline=60)


def list_tree(folder: Path, env: Mapping[str, str], tree: str) -> Command:
    """The files in TREE: mode, type, object id and name of each."""
    return _git("ls-tree", "-r", "-z", "--full-tree", tree, cwd=folder, env=env, deadline=60)


def check_out(folder: Path, env: Mapping[str, str], tree: str) -> Command:
    """Have FOLDER hold the files of TREE; those that are as they should be are not touched."""
    return _git(*SAME, "read-tree", "--reset", "-u", tree, cwd=folder, env={**env, **ALONE}, deadline=300)


def clean(folder: Path, env: Mapping[str, str], *, ignored: bool) -> Command:
    """Delete what is in FOLDER and not in the index that ENV names, what git ignores too where IGNORED."""
    return _git("clean", "-ffdxq" if ignored else "-ffdq", cwd=folder, env=env, deadline=60)


def edited(folder: Path, env: Mapping[str, str]) -> Command:
    """The names of FOLDER's files that are not as the index that ENV names has them, with NUL after each."""
    argv = (*SAME, "diff", "--name-only", "--no-ext-diff", "--ignore-submodules", "-z")
    return _git(*argv, cwd=folder, env={**env, **ALONE}, deadline=60)


def blob(folder: Path, env: Mapping[str, str], identity: str) -> Command:
    """What the object IDENTITY holds."""
    return _git("cat-file", "blob", identity, cwd=folder, env=env, deadline=10, private=True)


def tree_of(folder: Path, commit: str) -> Command:
    """The id of the tree of COMMIT."""
    return _git("rev-parse", "--verify", f"{commit}^{{tree}}", cwd=folder, deadline=10)


def resolve(folder: Path, commit: str) -> Command:
    """The full hash of COMMIT, and the tree of FOLDER in it: two lines."""
    return _git("rev-parse", f"{commit}^{{commit}}", f"{commit}:./", "--", cwd=folder, deadline=10)


def branch(folder: Path) -> Command:
    """The branch that FOLDER is on; fails where it is on none."""
    return _git("symbolic-ref", "--short", "--quiet", "HEAD", cwd=folder, deadline=10)


def show(folder: Path, name: str, commit: str = "HEAD", env: Mapping[str, str] | None = None) -> Command:
    """What the file NAME in FOLDER holds at COMMIT, for a comparison; with ENV git may have to ask a remote for it."""
    ask = _remote if env else _git
    return ask("show", f"{commit}:./{name}", cwd=folder, env={**_QUIET, **(env or {})}, deadline=30, private=True)


def listed(folder: Path, name: str, commit: str, env: Mapping[str, str] | None = None) -> Command:
    """The name of the file NAME in FOLDER if COMMIT has it, else nothing; ENV as for `show`."""
    ask, words = _remote if env else _git, ("ls-tree", "--name-only", commit, "--", name)
    return ask(*words, cwd=folder, env={**_QUIET, **(env or {})}, deadline=30)


def top(folder: Path) -> Command:
    """The top of the working tree that FOLDER is in."""
    return _git("rev-parse", "--show-toplevel", cwd=folder, deadline=10)


def list_remote(folder: Path, remote: str, address: str) -> Command:
    """The refs of REMOTE with their commits, asked of itself; ADDRESS is its URL, and the same where it has no name."""
    asked, env = (_NAMED, named(address)) if remote == address else (remote, {})
    return _remote("ls-remote", "--quiet", "--", asked, cwd=folder, env={**_QUIET, **env}, deadline=20)


def remote_address(folder: Path, remote: str) -> Command:
    """The URL of the REMOTE that has a name; fails where none has it."""
    return _git("remote", "get-url", "--", remote, cwd=folder, deadline=10, private=True)


def access(folder: Path) -> Command:
    """The settings of FOLDER's repository alone that say how a remote is reached, NUL after each; fails without any."""
    words = ("config", "--local", "--includes", "-z", "--get-regexp", r"^(http|credential)\.|^core\.sshcommand$")
    return _git(*words, cwd=folder, deadline=10, private=True)


def create(folder: Path, commit: str = "") -> Command:
    """Create a repository without files in FOLDER, for commits whose names are as long as COMMIT."""
    names = ("--object-format=sha256",) if len(commit) == 64 else ()
    return _git("init", "--quiet", "--bare", *names, "--", str(folder), deadline=10)


def fetch_branch(bare: Path, folder: Path, env: Mapping[str, str], branch: str, *, tip: bool = False) -> Command:
    """Bring the commits of BRANCH without their files into the repository BARE, from what ENV names, seen from FOLDER.

    Of TIP alone, the names of the files come as well; git fetches a file once it is asked for it.
    """
    part = ("--depth=1", "--filter=blob:none") if tip else ("--filter=tree:0",)
    argv = ("fetch", "--quiet", "--no-tags", *part, "--", _NAMED, f"+refs/heads/{branch}:refs/heads/{branch}")
    return _remote(f"--git-dir={bare}", *argv, cwd=folder, env={**_QUIET, **env}, deadline=120)


def is_ancestor(older: str, newer: str, bare: Path | None = None) -> Command:
    """Ask whether NEWER contains OLDER: exit code 0 for yes, 1 for no, 128 where one of them is not known."""
    where = (f"--git-dir={bare}",) if bare else ()
    return _git(*where, "merge-base", "--is-ancestor", older, newer, deadline=10)


def copy_commit(bare: Path, source: Path, *branches: str) -> Command:
    """Have BRANCHES of the repository BARE be at the commit that is checked out in SOURCE, which is only read."""
    specs = (f"+HEAD:refs/heads/{branch}" for branch in branches)
    argv = ("fetch", "--quiet", "--no-tags", "--update-shallow", "--", str(source), *specs)
    return _git(f"--git-dir={bare}", *argv, deadline=300)


def clone(bare: Path, folder: Path, branch: str) -> Command:
    """Clone BRANCH of BARE to FOLDER, without any files."""
    argv = ("clone", "--quiet", "--no-checkout", f"--branch={branch}", "--", bare.as_uri(), str(folder))
    return _git(*argv, deadline=300)


def call_remote(folder: Path, url: str) -> Command:
    """Say that FOLDER was cloned from URL."""
    return _git("remote", "set-url", "origin", url, cwd=folder, deadline=10)
