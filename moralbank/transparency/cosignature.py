"""A witness's word: it saw this checkpoint, at this time, and it continues all that it saw before. Pure.

Source: C2SP tlog-cosignature (cosignature/v1, Ed25519, type 0x04); C2SP tlog-policy for a policy's file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from moralbank.transparency.errors import BadPolicy, PolicyUnmet, WrongSignature
from moralbank.transparency.note import COSIGNATURE, Note, Signature, Signer, VerifierKey

#: How long the time before the signature is.
TIME_BYTES = 8
MAX_TIME = 2**63 - 1
_SPELLED = re.compile(r"([1-9][0-9]?) of ([1-9][0-9]?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A cosignature that verified: whose, and the POSIX time that it states."""

    key: VerifierKey
    time: int
    signature: Signature


@dataclass(frozen=True, slots=True)
class Policy:
    """So many of these witnesses must have cosigned. A policy of none asks for nothing."""

    needed: int
    keys: tuple[VerifierKey, ...]

    def __str__(self) -> str:
        return f"{self.needed} of {len(self.keys)}"


NO_WITNESSES = Policy(0, ())


def message(text: str, time: int) -> bytes:
    """Return the bytes that a witness signs for a checkpoint's text at a time."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def cosign(text: str, signer: Signer, time: int) -> Signature:
    """Return the signature line of a witness; whether it may sign is `witnessing`'s affair."""
    assert signer.key.algorithm == COSIGNATURE
    assert 0 < time <= MAX_TIME
    payload = time.to_bytes(TIME_BYTES, "big") + signer.sign(message(text, time))
    return Signature(signer.key.name, signer.key.key_id, payload)


def stated_time(signature: Signature) -> int:
    """Return the time that a cosignature's line states, unverified; 0 when it is too short to state one."""
    return int.from_bytes(signature.payload[:TIME_BYTES], "big") if len(signature.payload) > TIME_BYTES else 0


def verify(signed: Note, keys: Iterable[VerifierKey]) -> tuple[Cosigned, ...]:
    """Return the cosignatures of these witnesses, the latest of each; lines of other keys are ignored.

    Raises WrongSignature when a line names one of the witnesses' keys and doesn't verify.
    """
    found = []
    for key in keys:
        own = [_verified(signed, line, key) for line in signed.signatures if line.is_by(key)]
        if own:
            found.append(max(own, key=lambda cosigned: cosigned.time))
    return tuple(found)


def require(signed: Note, policy: Policy) -> tuple[Cosigned, ...]:
    """Return the cosignatures when they are enough for the policy.

    Raises (in the order checked): WrongSignature, PolicyUnmet.
    """
    found = verify(signed, policy.keys)
    if len(found) < policy.needed:
        raise PolicyUnmet(needed=policy.needed, found=len(found))
    return found


def make_policy(needed: int, keys: Iterable[VerifierKey]) -> Policy:
    """Return a policy of `needed` of these witnesses.

    Raises BadPolicy when more are needed than there are, when a key isn't a witness's, or when one key would count
    twice under two names.
    """
    listed = tuple(keys)
    distinct = {key.public for key in listed}
    if not 0 <= needed <= len(listed) or len(distinct) < len(listed):
        raise BadPolicy
    if any(key.algorithm != COSIGNATURE for key in listed):
        raise BadPolicy
    return Policy(needed, listed)


def parse_policy(text: str, keys: Iterable[VerifierKey]) -> Policy:
    """Read `2 of 3` over the witnesses. Raises BadPolicy, also when there aren't three."""
    listed = tuple(keys)
    spelled = _SPELLED.fullmatch(text.strip())
    if not spelled or int(spelled[2]) != len(listed):
        raise BadPolicy
    return make_policy(int(spelled[1]), listed)


def policy_file(log_keys: Iterable[VerifierKey], policy: Policy) -> str:
    """Return the policy as a tlog-policy file, which other programs read."""
    lines = [f"log {key}" for key in log_keys]
    names = [f"witness-{number}" for number in range(1, len(policy.keys) + 1)]
    lines += [f"witness {name} {key}" for name, key in zip(names, policy.keys, strict=True)]
    if policy.needed:
        lines += [f"group witnesses {policy.needed} {' '.join(names)}", "quorum witnesses"]
    else:
        lines.append("quorum none")
    return "".join(f"{line}\n" for line in lines)


def _verified(signed: Note, line: Signature, key: VerifierKey) -> Cosigned:
    time = stated_time(line)
    body = line.payload[TIME_BYTES:]
    if key.algorithm != COSIGNATURE or not 0 < time <= MAX_TIME or not key.verify(message(signed.text, time), body):
        raise WrongSignature(name=key.name)
    return Cosigned(key, time, line)
