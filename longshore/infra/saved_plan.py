"""A saved plan: what it was made from, and whether that still holds when it is applied."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

import msgspec
from msgspec import Struct

from longshore.errors import BadInput, Precondition
from longshore.files import Memory

VALID = 24 * 3600  # seconds for which a plan may be applied
KEY = "LONGSHORE_PLAN_KEY"  # the environment variable with the key that encrypts a plan which leaves the machine
ENCRYPTED = b"gAAAA"  # how a Fernet token begins
# What is said of each fact that has changed, most important first.
CHANGED = {
    "environment": "it was made for {old}, this is {new}",
    "account": "it was made for the account {old}, this is {new}",
    "commit": "it was made at the commit {old:.12}, this is {new:.12}",
    "sources": "the files in terraform/ have changed",
    "variables": "the variables have changed",
    "providers": "the lock file names other providers",
    "programs": "the installed providers are other programs",
    "overrides": "Terraform's CLI configuration puts other providers in place of these (dev_overrides)",
    "lineage": "the state is a different one",
    "serial": "the state has changed since (serial {old}, now {new})",
    "plan": "the plan file is not the one that was saved",
}


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan is made from: names, fingerprints of files and programs, lineage and serial of the state."""

    environment: str
    account: str
    commit: str
    sources: str
    variables: str
    providers: str
    programs: str
    overrides: str
    lineage: str
    serial: int


class _Record(Facts, frozen=True, kw_only=True):
    plan: str  # SHA-256 of the plan file
    until: float  # Unix time
    mac: str  # of all else; empty where there is no key

    def signed(self, key: str) -> Self:
        """Return the record with a signature by KEY."""
        content = b"longshore plan" + msgspec.json.encode(msgspec.structs.replace(self, mac=""))
        return msgspec.structs.replace(self, mac=hmac.digest(key.encode(), content, "sha256").hex())


class SavedPlan(Struct, frozen=True):
    """The plan in FILE, with its record in MEMORY.

    KEY is a Fernet key, or empty: with it, the plan is encrypted and its record signed, and no others are taken.
    """

    file: Path
    memory: Memory
    key: str

    def bind(self, facts: Facts) -> None:
        """Encrypt the plan in the file if there is a key, and record that it was just made from FACTS."""
        if self.key:
            self.file.write_bytes(_crypt("encrypt", self.key, self.file.read_bytes()))
        record = _Record(
            **msgspec.structs.asdict(facts), plan=self._digest(), until=round(time.time() + VALID, 3), mac=""
        )
        record = record.signed(self.key) if self.key else record
        self.memory.put("plan", **msgspec.structs.asdict(record))

    def check(self, facts: Facts) -> None:
        """Raise Precondition, naming everything that has changed, unless the plan was made from FACTS."""
        again = f"`invoke infra.plan -e {facts.environment}` makes a new plan to review; nothing was changed"
        try:
            record = msgspec.convert(self.memory.get("plan"), _Record)
        except msgspec.ValidationError:  # no record, or one that another version of Longshore wrote
            record = None
        if not record or not self.file.exists():
            raise Precondition("there is no saved plan", hint=again)
        if self.key and not hmac.compare_digest(record.mac, record.signed(self.key).mac):
            raise Precondition("the record of the saved plan was changed, or made with another key", hint=again)
        old, new = msgspec.structs.asdict(record), msgspec.structs.asdict(facts) | {"plan": self._digest()}
        differing = {name: text for name, text in CHANGED.items() if old[name] != new[name]}
        changed = [text.format(old=str(old[name]), new=str(new[name])) for name, text in differing.items()]
        if time.time() > record.until:
            changed.append("it is more than a day old")
        if changed:
            raise Precondition(f"the saved plan is stale: {'; '.join(changed)}", hint=again)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Path]:
        """Yield a file with the plan in clear text. Raises Precondition or BadInput where the key is not right."""
        data = self.file.read_bytes()
        if not data.startswith(ENCRYPTED):
            if self.key:
                hint = f"`invoke infra.plan` makes one that is, with the {KEY} that is set here"
                raise Precondition("the saved plan is not encrypted, so anybody may have changed it", hint=hint)
            yield self.file
            return
        clear = _crypt("decrypt", self.key, data)
        with tempfile.NamedTemporaryFile(dir=self.file.parent, suffix=".tfplan") as file:  # its mode is 0600
            file.write(clear)
            file.flush()
            yield Path(file.name)

    def _digest(self) -> str:
        return hashlib.sha256(self.file.read_bytes()).hexdigest() if self.file.exists() else ""


def _crypt(operation: Literal["encrypt", "decrypt"], key: str, data: bytes) -> bytes:
    from cryptography.fernet import Fernet, InvalidToken

    try:
        result: bytes = getattr(Fernet(key), operation)(data)
    except ValueError:
        command = "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
        raise BadInput(f"{KEY} is not 32 bytes in url-safe base64", hint=f"`{command}` makes one") from None
    except InvalidToken:
        sentence = "the saved plan cannot be decrypted: it was changed, or encrypted with another key"
        hint = f"set {KEY} to the same value for `infra.plan` and `infra.apply`"
        raise Precondition(sentence, hint=hint) from None
    return result
