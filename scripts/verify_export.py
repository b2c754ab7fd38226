#!/usr/bin/env python3
"""核对道德银行账簿的程序：只有这一个文件，只用 Python 3.9 以上自带的部分，不联网，不需要银行的任何程序。

Check an export of a moralbank book, without the bank: one file, Python 3.9 or newer, standard library only, no network.

    python3 verify_export.py EXPORT.zip                         the whole book, every line of it
    python3 verify_export.py proof FILE.tlog-proof --key KEY    one line is in the book that was signed
    python3 verify_export.py statement FILE --key KEY           a month of an account is in it, and none is missing
    python3 verify_export.py board SIZE "24 characters" FILE    a notice board's sheet against an export or a checkpoint
    python3 verify_export.py since OLD NEW.zip                  an old export or checkpoint is the beginning of the new

KEY is a verifier key, a file of keys or of a policy, or an export that you trust; several may be given.
Further: --lang zh or en; --leaf FILE or --hash HEX beside a proof that holds no leaf; --all-signatures.
Exit status: 0 all is sound, 1 something is broken and was named, 2 it could not be checked (wrong usage, no such file).
Formats: RFC 6962 tree; C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy, tlog-proof; RFC 8785 JSON.
"""

from __future__ import annotations

import argparse
import base64
import bisect
import gc
import hashlib
import json
import os
import re
import struct
import sys
import unicodedata
import zipfile
import zlib
from collections import namedtuple
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

# ---- 1. What is said: every sentence, Chinese and English, by the name under which the checks below use it -----------

SENTENCES = """
sound: 核对完毕，没有发现问题。 | All of it is sound.
broken: 有问题： | BROKEN:
unusable: 没有核对： | not checked:
own-keys: 注意：公钥取自导出文件本身。请与您另外得到的比对，或用 --key 给出您的。
  | Note: the keys are those in the export itself. Compare them with yours, or name yours with --key.
at-leaf: 第 {index} 片叶子（{what}）：{why} | leaf {index} ({what}): {why}
usage: 用法见 --help | see --help for how to ask
no-file: 读不了文件 {path}：{error} | cannot read {path}: {error}
no-key: 请用 --key 给出验证公钥或见证规则 | name a verifier key or a policy with --key
no-leaf: 证明里没有叶子：请用 --leaf 给出文件，或用 --hash 给出小票上的哈希
  | the proof holds no leaf: name its file with --leaf, or type the slip's hash with --hash
bad-hash: 哈希应为 64 位十六进制数字 | a hash is 64 hexadecimal digits
not-export: {path} 不是完整的导出文件：被截断、改动过，或者根本不是
  | {path} is not a whole export: it was cut off or changed, or never was one
bad-file: 导出里的 {name} 缺失、损坏或被改过 | {name} in the export is missing, damaged or was changed
bad-row: {name} 第 {row} 行看不懂 | {name}, line {row} is not understood
strange: 这里有看不懂的内容（{what}） | something here is not understood ({what})
not-json: 这里不是 JSON | this is not JSON
not-canonical: 叶子不是规范写法的 JSON | the leaf is not canonical JSON
bad-key: 验证公钥不合规定：{text} | not a verifier key: {text}
bad-policy: 见证规则里有一行不合规定：{text} | a line of the policy is not understood: {text}
bad-checkpoint: 检查点不是合规的签名文本（{why}） | the checkpoint is not a well-formed signed note ({why})
bad-signature: {size} 片叶子的检查点：{name} 的签名不对 | checkpoint of {size} leaves: the signature of {name} is wrong
unsigned: {size} 片叶子的检查点：没有您所知道的公钥的签名（{origin}）
  | the checkpoint of {size} leaves: not signed by a key that you know ({origin})
few-witnesses: {size} 片叶子的检查点：见证人的签名不够（有 {have} 家）
  | the checkpoint of {size} leaves: too few witnesses cosigned it ({have})
no-checkpoint: 没有一个签过名的检查点（{log}） | there is no signed checkpoint at all ({log})
no-cosigned: 没有一个检查点有足够的见证人签名（{log}） | no checkpoint was cosigned by enough witnesses ({log})
two-checkpoints: 叶数同为 {size} 的检查点有两份，或次序乱了 | two checkpoints of {size} leaves, or out of order
other-log: 检查点出自别的日志：{origin} | the checkpoint is of another log: {origin}
too-few-leaves: 检查点签了 {size} 片叶子，账簿里只有 {have} 片：后面的被删了
  | a checkpoint signs {size} leaves and the book holds {have}: the last were removed
other-count: 应有 {size} 片叶子，实有 {have} 片 | {size} leaves are said to be there, {have} are
other-root: 前 {size} 片叶子不是当初签过的：有一片被改、删、换过
  | the first {size} leaves are not those that were signed: one was changed, removed or swapped
other-head: 日志自称的树根不是这些叶子的根 | the root that the log states is not that of its leaves
bad-start: 续接处的哈希数目不对 | the hashes at which the export begins are not as many as they must be
bad-fact: 事项的写法不对 | it has not the form of a fact
fact-gap: 事项的编号断了（{no}） | the numbers of the facts have a gap ({no})
bad-entry: 分录的写法不对 | it has not the form of an entry
bad-leg: 分录的一条腿写法不对 | a leg has not the form of one
bad-day: 发生日期晚于记账日期，或没有这个时间 | it happened after it was posted, or at no instant that exists
closed: 记入了已经关账的 {day} | posted into {day}, which was closed
alone: 应有第二人复核，而且不是本人 | a second person, another one, must have checked it
unknown-rule: 规则 {rule} 不存在，或当天还没有生效 | rule {rule} is unknown, or was not in force
bad-reversal: 冲正的不是一笔没有冲正过的分录，或不是它的镜像 | it reverses what cannot be reversed, or is not its mirror
bad-offset: 冲正抵扣的不是一笔冲正时不足的分录，或超出了所缺，或晚于十二个月
  | it offsets no award whose reversal fell short, or takes more than was missing, or later than twelve months
bad-shortfall: 冲正 {award} 时所缺的与账簿不符（{what}）
  | what the reversal of {award} could not take differs from the book ({what})
unbalanced: 各条腿合计不为零 | its legs do not sum to zero
bad-account: 没有账户 {account}，或它的种类不符 | account {account} is unknown, or of another kind
oversettled: 商家 {account} 的结算超出了应得的数目 | merchant {account} is settled more than it is owed
bad-settlement: 账户 {account} 在 {month} 的结算与账簿不符
  | the settlement of account {account} for {month} differs from the book
gap: 账户 {account} 的行号断了：应为 {due}，写着 {n} | line numbers of account {account} have a gap: {due}, found {n}
bad-balance: 账户 {account} 第 {n} 行的余额不对 | account {account}, line {n}: the balance does not follow
negative: 账户 {account} 的余额为负 | the balance of account {account} is negative
backwards: 账户 {account} 第 {n} 行早于上一行 | account {account}, line {n} is earlier than the one before
early-expiry: 账户 {account} 有没到期的积分被记为到期 | points of account {account} expired before their day
unannounced: 账户 {account} 有积分没有提前七天提醒就到期了（{day}）
  | points of account {account} expired with no notice seven days before ({day})
stray-private: 有一份私密部分不属于这里的分录 | a private part belongs to no entry here
bad-private: 私密部分不是当初承诺的那一份 | the private part is not the one committed to
lost-private: 私密部分不见了，也没有注销记录 | its private part is gone and no erasure says so
bad-statement: 账户 {account} {month} 的对账单（{unit}）与账簿不符：写着 {said}，应为 {found}
  | the statement of account {account} for {month} ({unit}) differs from the book: {said}, must be {found}
twice: 第 {n} 笔分录的{what}出现了两次 | the {what} of entry {n} in order comes twice
bad-row-of-balance: 账户 {account}（{unit}）的余额表不是各行的结果
  | account {account} ({unit}): its balance row does not follow from its lines
key-twice: 幂等键 {key} 出现了两次，或次序乱了 | the key {key} comes twice, or out of order
bad-answer: 幂等键 {key} 的结果不对 | the key {key} has not one answer
keyless: 有 {n} 笔分录没有幂等键 | {n} entries have no key
bad-seal: {day} 的封账叶子与当天的账不符 | the seal of {day} differs from what was posted
bad-close: {day} 的关账记录与封账叶子不符 | the close of {day} differs from its seal
bad-accounts: 账户或其种类在 {day} 封账之后被改过 | an account or its kind was changed after the seal of {day}
bad-table: 分录 {seq}：数据库的表格与叶子不符（{what}）
  | entry {seq}: the tables of the database say otherwise than its leaf ({what})
other-book: 两份不是同一本账 | the two are of different books
set-back: 新的只有 {have} 片叶子，旧的有 {size} 片：账簿退回过
  | the new one holds {have} leaves, the old one {size}: the book was set back
not-joined: 两份之间缺了叶子 | leaves between the two are missing
rewritten: 旧的 {size} 片叶子不是新的开头：账簿被改写过
  | the {size} leaves of the old one are not the beginning of the new: the book was rewritten
bad-proof: 不是 tlog-proof 证明文件，或者损坏了 | not a tlog-proof, or a damaged one
other-leaf: 叶子的哈希不是给出的那个 | the leaf has another hash than the one given
proof-fails: 证明不成立：这片叶子不在签过名的账簿里 | the proof fails: this leaf is not in the book that was signed
proof-holds: 成立：第 {index} 片叶子在 {origin} 签过名的 {size} 片叶子里，有 {n} 家见证人签名。
  | It holds: leaf {index} is among the {size} leaves that {origin} signed, cosigned by {n} witnesses.
bad-form: 不是对账单文件，或者损坏了 | not a statement's file, or a damaged one
missing-line: 账户 {account}（{unit}）缺第 {n} 行 | account {account} ({unit}): line {n} is missing
other-month: 账户 {account}（{unit}）第 {n} 行的月份与对账单不符
  | account {account} ({unit}): line {n} is on the wrong side of the month's edge
waiting: 另有 {n} 笔刚记账，还没有进入签过名的检查点。
  | {n} entries more were just posted and are in no signed checkpoint yet.
statement-holds: {month} 的 {lines} 行都在 {n} 家见证人签过名的账簿里，一行不少；
  月末积分余额 {points}，服务 {minutes} 分钟。
  | The {lines} lines of {month} are all in the book that {n} witnesses cosigned, none is missing;
  the balance is {points} points and {minutes} minutes.
open-end: 后面还没有下一行：这个月是不是到此为止，要等下一行出现才能证明。
  | No later line is there yet: that the month ends here is proven once there is one.
bad-character: 第 {n} 个字“{one}”不在字表里 | character {n}, “{one}”, is not in the table
bad-length: 应为 24 个字，收到 {n} 个 | 24 characters are expected, {n} were given
miscopied: 校验不符：有字抄错了 | the check bits do not agree: a character was copied wrongly
unknown-size: 这份文件说不出 {size} 片叶子时的根 | this file does not tell the root at {size} leaves
other-board: 公告栏上的不是这本账：此处应为 {right} | the board shows another book: here it is {right}
board-holds: 相符：公告栏上的正是这本账的前 {size} 片叶子。
  | It agrees: the board shows the first {size} leaves of this book.
f-book: 账簿 {code}（{name}），导出于 {at} | book {code} ({name}), exported {at}
f-old: 片叶子在旧的里，是新的开头 | leaves in the old one, the beginning of the new
f-leaves: 片叶子重新计算了哈希（{log}），根 {root} | leaves hashed anew ({log}), root {root}
f-checkpoints: 个检查点与叶子相符，签名查了 {n} 个 | checkpoints agree with the leaves, the signatures of {n} verified
f-cosigned: 个检查点有足够的见证人，最后一个到第 {size} 片
  | checkpoints cosigned by enough witnesses, the last of {size} leaves
f-unsigned: 片叶子在最后一个检查点之后 | leaves behind the last checkpoint
f-unsealed: 笔分录还没有进树 | entries not in the tree yet
f-entries: 笔分录，{legs} 条腿，{accounts} 个账户 | entries, {legs} legs, {accounts} accounts
f-reversals: 笔冲正，各是一笔的镜像 | reversals, each the mirror of one entry
f-two: 笔有第二人复核 | entries that a second person checked
f-expiries: 笔到期，共 {points} 分 | expiries, of {points} points
f-notices: 次到期提醒 | notices of expiry
f-shortfalls: 笔冲正时积分不足，共缺 {missing} 分：已抵扣 {taken}，满一年放弃 {let_go}
  | reversals that fell short, by {missing} points: {taken} offset later, {let_go} let go after a year
f-settlements: 份结算，逐分对上 | settlements, equal to the point
f-statements: 份月对账单重新算出 | monthly statements made anew
f-days: 个关了账的日子，{seals} 片封账叶子 | closed days, {seals} sealing leaves
f-private: 份私密部分与承诺相符 | private parts as they were committed to
f-notes: 份经办事由与承诺相符 | reasons of deeds as they were committed to
f-keys: 个幂等键 | keys
f-erasures: 次注销个人资料，在事项 {which} | erasures of personal data, facts {which}
unit-points: 积分 | points
unit-minutes: 服务分钟 | minutes
f-outstanding: {unit}，各账户余额合计 | {unit} outstanding, the balances of all accounts
"""
_EACH = re.findall(r"^([a-z-]+): ((?:.|\n )+)$", SENTENCES, re.MULTILINE)
SAID = {name: re.split(r"\s+\| ", words) for name, words in _EACH}
LANGUAGE = "zh"


def say(sentence, /, **values):
    """Return a sentence in the reader's language."""
    words = SAID[sentence][LANGUAGE == "en"]
    return re.sub(r"\n *", " ", words).strip().format(**values)


class Broken(Exception):
    """Something is not as it must be; the first one ends the check."""

    def __init__(self, sentence, /, **values):
        super().__init__(say(sentence, **values))


class Unusable(Broken):
    """Nothing could be checked: the question was asked wrongly."""


def progress(number):
    """Show a person who waits how far it is."""
    if sys.stderr.isatty():
        print(f"\r{number:,} …", end="", file=sys.stderr, flush=True)


# ---- 2. Canonical JSON: RFC 8785 with ASCII names, whole numbers, NFC text and no null -------------------------------

MAX_WHOLE, MAX_LEAF = 2**53 - 1, 4096


def _refuse(text):
    raise ValueError(text)


_decode = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse).decode
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def read_json(data):
    try:
        return _decode(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Broken("not-json") from None


def read_leaf(leaf):
    """Return the fields of a leaf, which must be spelled in the one way in which it may be."""
    fields = read_json(leaf)
    is_spelled = type(fields) is dict and len(leaf) <= MAX_LEAF and _encode(fields).encode() == leaf
    if is_spelled and not leaf.isascii():
        is_spelled = unicodedata.normalize("NFC", leaf.decode()) == leaf.decode() and all(map(str.isascii, fields))
    if not is_spelled:
        raise Broken("not-canonical")
    return fields


def is_whole(value, least=-MAX_WHOLE):
    """Tell whether a value is a whole number in range (a truth value is none)."""
    return type(value) is int and least <= value <= MAX_WHOLE


def is_plain(value):
    """Tell whether a value holds nothing but text, whole numbers in range, truth values, lists and named parts."""
    if type(value) is dict:
        return all(map(str.isascii, value)) and all(map(is_plain, value.values()))
    return type(value) in (str, bool) or is_whole(value) or (type(value) is list and all(map(is_plain, value)))


# ---- 3. Ed25519 (RFC 8032), verification only ------------------------------------------------------------------------
# Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z. A table of each key's multiples makes a signature cost 86
# additions, about half a millisecond.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)
WINDOW = 6


def add(p, q):
    x1, y1, z1, t1 = p
    x2, y2, z2, t2 = q
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * D * t1 * t2 % P, 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def decompress(data):
    """Return the point that 32 bytes spell, or None; each point has one spelling only."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if y >= P or v * x * x % P != u or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def compress(point):
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    return (y * inverse % P | (x * inverse % P & 1) << 255).to_bytes(32, "little")


def multiples(point):
    """Return the table of a point: for each window of a factor, what each of its values adds."""
    rows = []
    for _ in range(0, 256, WINDOW):
        row = [NEUTRAL]
        for _ in range(2**WINDOW - 1):
            row.append(add(row[-1], point))
        rows.append(row)
        point = add(row[-1], point)
    return rows


def times(rows, factor):
    total = NEUTRAL
    for row in rows:
        total = add(total, row[factor & (2**WINDOW - 1)])
        factor >>= WINDOW
    return total


BASE = multiples(decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little")))


class PublicKey:
    """32 bytes that verify signatures; a point of small order, under which nearly anything verifies, is refused."""

    def __init__(self, data):
        point = decompress(data)
        eightfold = point
        for _ in range(3 if point else 0):
            eightfold = add(eightfold, eightfold)
        if point is None or compress(eightfold) == compress(NEUTRAL):
            raise ValueError("no key")
        x, y, z, t = point
        self.data, self._minus, self._rows = data, (-x % P, y, z, -t % P), None

    def verify(self, message, signature):
        """Tell whether the signature is this key's: S·B = R + h·A, without a cofactor, S below the order."""
        r, s = signature[:32], int.from_bytes(signature[32:], "little")
        if len(signature) != 64 or s >= ORDER:
            return False
        h = int.from_bytes(hashlib.sha512(r + self.data + message).digest(), "little") % ORDER
        self._rows = self._rows or multiples(self._minus)
        return compress(add(times(BASE, s), times(self._rows, h))) == r


# ---- 4. Signed notes, checkpoints, cosignatures, policy (C2SP) -------------------------------------------------------

SIGNS, COSIGNS = 1, 4
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
Signature = namedtuple("Signature", "name key_id payload")
Checkpoint = namedtuple("Checkpoint", "origin size root text signatures")


def unbase64(text):
    """Return what base64 says, or None when it is spelled in any way but the one."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return data if base64.b64encode(data).decode() == text else None


def is_name(name):
    return bool(name) and "+" not in name and not any(map(str.isspace, name))


@lru_cache(maxsize=100)
def public_key(data):
    return PublicKey(data)


class VerifierKey:
    """A key as one line: name+id+base64, of a log (type 1) or of a witness (type 4)."""

    def __init__(self, text):
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        data = unbase64(encoded) or b""
        self.text, self.name, self.type = text, name, data[:1] and data[0]
        self.key_id = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
        try:
            self.public = public_key(data[1:])
        except ValueError:
            raise Broken("bad-key", text=text) from None
        if not is_name(name) or len(data) != 33 or self.type not in (SIGNS, COSIGNS) or self.key_id.hex() != key_id:
            raise Broken("bad-key", text=text)

    def has_signed(self, checkpoint, kind):
        """Tell whether this key signed a checkpoint; a line that names it and does not verify is refused."""
        lines = [line for line in checkpoint.signatures if line[:2] == (self.name, self.key_id)]
        for line in lines:
            if self.type != kind or not self._verifies(checkpoint.text, line.payload):
                raise Broken("bad-signature", size=checkpoint.size, name=self.name)
        return bool(lines)

    def _verifies(self, text, payload):
        if self.type == SIGNS:
            return self.public.verify(text.encode(), payload)
        moment = int.from_bytes(payload[:8], "big")
        message = f"cosignature/v1\ntime {moment}\n{text}".encode()
        return 0 < moment < 2**63 and self.public.verify(message, payload[8:])


def read_signature(line):
    mark, name, encoded = line.split(" ") if line.count(" ") == 2 else ("", "", "")
    payload = unbase64(encoded) or b""
    if mark != "—" or not is_name(name) or len(payload) < 5:
        raise Broken("bad-checkpoint", why="signature")
    return Signature(name, payload[:4], payload[4:])


def read_checkpoint(data):
    """Return a signed checkpoint, unverified; whatever is not exactly one is refused."""
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Broken("bad-checkpoint", why="UTF-8") from None
    text, blank, below = whole.rpartition("\n\n")
    lines = text.split("\n")
    if _CONTROL.search(whole) or not blank or not below.endswith("\n") or len(lines) < 3 or not all(lines):
        raise Broken("bad-checkpoint", why="text")
    root = unbase64(lines[2])
    if not _DECIMAL.fullmatch(lines[1]) or root is None or len(root) != 32:
        raise Broken("bad-checkpoint", why="size, root")
    signatures = [read_signature(line) for line in below[:-1].split("\n")]
    return Checkpoint(lines[0], int(lines[1]), root, text + "\n", signatures)


class Policy:
    """Whose signatures count: the log's keys, the witnesses, and which of these are enough (C2SP tlog-policy)."""

    def __init__(self, text):
        """Read a policy, or plain verifier keys one a line: then every witness among them is needed."""
        self.logs, self.witnesses, self.groups, self.quorum = [], {}, {}, None
        for line in text.split("\n"):
            word, *rest = line.split() or ["#"]
            if not word.startswith("#") and not self._takes(word, rest):
                raise Broken("bad-policy", text=line)
        if self.quorum is None:
            self.groups["every witness"], self.quorum = (len(self.witnesses), list(self.witnesses)), "every witness"

    def _takes(self, word, rest):
        is_new = bool(rest) and rest[0] not in ("none", *self.witnesses, *self.groups)
        if word == "log" and rest:
            self.logs.append(VerifierKey(rest[0]))
        elif word == "witness" and len(rest) > 1 and is_new:
            self.witnesses[rest[0]] = VerifierKey(rest[1])
        elif word == "group" and len(rest) > 2 and is_new:
            name, needed, *members = rest
            needed = {"all": str(len(members)), "any": "1"}.get(needed, needed)
            is_known = all(one in self.witnesses or one in self.groups for one in members)
            if not is_known or len(set(members)) < len(members) or not _DECIMAL.fullmatch(needed):
                return False
            self.groups[name] = int(needed), members
            return 1 <= int(needed) <= len(members)
        elif word == "quorum" and len(rest) == 1 and not is_new and self.quorum is None:
            self.quorum = rest[0]
        elif word.count("+") >= 2:  # A key, perhaps with the time for which it signs behind it.
            key = VerifierKey(word)
            self.logs += [key] if key.type == SIGNS else []
            self.witnesses.update({key.text: key} if key.type == COSIGNS else {})
        else:
            return False
        return len({key.public.data for key in self.witnesses.values()}) == len(self.witnesses)

    def is_met(self, names, of=None):
        """Tell whether these witnesses are enough."""
        of = of or self.quorum
        if of not in self.groups:
            return of == "none" or of in names
        needed, members = self.groups[of]
        return sum(self.is_met(names, one) for one in members) >= needed

    def cosigners(self, checkpoint):
        """Return the names of the witnesses that cosigned; lines of unknown keys are ignored."""
        return {name for name, key in self.witnesses.items() if key.has_signed(checkpoint, COSIGNS)}

    def demand(self, checkpoint):
        """Refuse a checkpoint that no known key of the log signed, or too few witnesses; return how many did."""
        signed = [key for key in self.logs if key.name == checkpoint.origin and key.has_signed(checkpoint, SIGNS)]
        if not signed:
            raise Broken("unsigned", size=checkpoint.size, origin=checkpoint.origin)
        witnesses = self.cosigners(checkpoint)
        if not self.is_met(witnesses):
            raise Broken("few-witnesses", size=checkpoint.size, have=len(witnesses))
        return len(witnesses)


# ---- 5. The tree (RFC 6962, RFC 9162) --------------------------------------------------------------------------------


def leaf_hash(leaf):
    return hashlib.sha256(b"\x00" + leaf).digest()


class Frontier:
    """The roots of the whole subtrees of a growing tree, largest first; from them its root at any moment."""

    def __init__(self, size=0, hashes=()):
        if bin(size).count("1") != len(hashes):
            raise Broken("bad-start")
        self.size, self.hashes = size, list(hashes)

    def append(self, hashed):
        hashes, size = self.hashes, self.size
        while size & 1:
            hashed = hashlib.sha256(b"\x01" + hashes.pop() + hashed).digest()
            size >>= 1
        hashes.append(hashed)
        self.size += 1

    def root(self):
        if not self.hashes:
            return hashlib.sha256().digest()
        root = self.hashes[-1]
        for left in self.hashes[-2::-1]:
            root = hashlib.sha256(b"\x01" + left + root).digest()
        return root


def is_included(hashed, index, size, path, root):
    """Tell whether a path leads from a leaf to the root (RFC 9162 §2.1.3.2)."""
    place, last = index, size - 1
    if not 0 <= place <= last:
        return False
    for step in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            hashed = hashlib.sha256(b"\x01" + step + hashed).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            hashed = hashlib.sha256(b"\x01" + hashed + step).digest()
        place, last = place >> 1, last >> 1
    return last == 0 and hashed == root


# ---- 6. Lots: which points expire when -------------------------------------------------------------------------------

NEVER = "9999-99-99"


class Lots:
    """What is left of each credit of an account, first to expire first, oldest first among equals.

    A credit opens a lot. A debit draws from the front. What reverses a debit gives back to the lots it was drawn from,
    the last drawn first; what reverses a credit takes from that credit's own lot before any other.
    """

    __slots__ = ("drawn", "left", "own")

    def __init__(self):
        #: [day on which it is gone, number of its entry, rest]; an emptied lot is taken out.
        self.left = []
        #: Of the few entries that are reversed later: the lot that they opened, or what they drew from which.
        self.own, self.drawn = {}, {}

    def move(self, entry, seq, amount, until, reverses, is_reversed_later):
        if amount > 0:
            amount = self._give_back(self.drawn.pop(reverses, ()), amount)
            if amount:
                lot, left = [until or NEVER, seq, amount], self.left
                if left and lot < left[-1]:
                    bisect.insort(left, lot)
                else:
                    left.append(lot)
                if is_reversed_later:
                    self.own[entry] = lot
            return
        own, rest, draws, emptied = self.own.pop(reverses, None), -amount, [], 0
        for lot in [own, *self.left] if own else self.left:
            part = min(lot[2], rest)
            lot[2] -= part
            rest -= part
            draws.append((lot, part))
            emptied += not lot[2]
            if not rest:
                break
        if own:
            self.left = [lot for lot in self.left if lot[2]]
        else:
            del self.left[:emptied]
        if is_reversed_later:
            self.drawn[entry] = draws

    def _give_back(self, draws, amount):
        for lot, taken in reversed(draws):
            part = min(taken, amount)
            if part and not lot[2]:
                bisect.insort(self.left, lot)
            lot[2] += part
            amount -= part
        return amount

    def due(self, day):
        """Return how much is gone once a day has begun."""
        total = 0
        for until, _, rest in self.left:
            if until > day:
                break
            total += rest
        return total


# ---- 7. The replay: every invariant of the book, line by line --------------------------------------------------------

GUARDED = {"resident", "household", "team", "pool"}
SUMMED = {"issuer", "registry", "opening", "merchant", "settled", "expired", "clearing", "hold"}
UNITS = ("points", "minutes")
KINDS = set(
    "award opening deposit redemption undo refund reversal expiry gift donation help settlement recirculation payout "
    "adjustment move offset hold release".split()
)
TWO_PEOPLE = {"reversal", "adjustment", "offset"}
SETTLE = {"settlement", "recirculation"}
#: An entry's leaf, in the one spelling that it has: names in order, no blanks, nothing else.
_DAY, _WHOLE = r"\d{4}-\d\d-\d\d", r"[1-9]\d{0,15}"
_WORD = r'(?!")[!#-\[\]-~]*(?:\\["\\][!#-\[\]-~]*)*'
is_entry = re.compile(
    rf'{{"at":"({_DAY}T\d\d:\d\d:\d\d\.\d{{6}}Z)","book":({_WHOLE}),(?:"br":({_WHOLE}),)?"by":"({_WORD})",'
    rf'(?:"grade":"([A-D])",)?"id":"([0-9a-f]{{32}})","kind":"([a-z]+)","legs":\[([^\]]*)\],'
    rf'(?:"m":"([0-9a-f]{{64}})",)?(?:"ok":"({_WORD})",)?"on":"({_DAY})",(?:"rev":"([0-9a-f]{{32}})",)?'
    rf'(?:"rule":\["({_WORD})",({_WHOLE})\],)?"seq":({_WHOLE}),(?:"src":\["({_WORD})","({_WORD})"\],)?"v":1}}',
    re.ASCII,
).fullmatch
Entry = namedtuple("Entry", "at book branch by grade id kind legs m ok on rev rule version seq source source_id")
_LINE = rf'"b":(0|-?{_WHOLE}),"d":(-?{_WHOLE}),"n":({_WHOLE})'
_LEG = rf'({{"a":({_WHOLE}),(?:{_LINE}|"d":(-?{_WHOLE})),"u":"(points|minutes)"(?:,"x":"({_DAY})")?}})'
each_leg = re.compile(_LEG, re.ASCII).findall
is_id = re.compile(r"[0-9a-f]{32}").fullmatch
is_hash = re.compile(r"[0-9a-f]{64}").fullmatch
is_instant = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z").fullmatch
#: The bank's clock is eight hours ahead of UTC, all year.
AHEAD = timedelta(hours=8)
_days = {}


def local_day(at):
    """Return the bank's day of an instant; all instants of an hour are of one day."""
    day = _days.get(at[:13])
    if day is None:
        try:
            day = _days[at[:13]] = (datetime.fromisoformat(at[:13] + ":00") + AHEAD).strftime("%Y-%m-%d")
        except (ValueError, OverflowError):
            raise Broken("bad-day") from None
    return day


@lru_cache(maxsize=100_000)
def is_day(text):
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def read_legs(text):
    """Return legs as account and unit, amount, line number and balance (0: none), last day; None when one is none."""
    found = each_leg(text)
    if ",".join([leg[0] for leg in found]) != text or not 2 <= len(found) <= 64:
        return None
    return [
        ((int(account), unit), int(amount or alone), int(n or 0), int(balance or 0), until)
        for _, account, balance, amount, n, alone, unit, until in found
    ]


def read_entry(leaf):
    """Return an entry's parts, or None for a leaf that is none."""
    found = is_entry(leaf.decode("ascii", "replace")) if len(leaf) <= MAX_LEAF else None
    parts = [*found.groups()] if found else [None] * 8
    parts[7] = found and read_legs(parts[7])
    return Entry(*parts) if parts[7] else None


def check_fact(f, book, log, last_no, is_part=False):
    """Refuse a leaf that is no entry and not a whole fact; return its number, which follows the one before."""
    is_sound = (
        f.keys() >= {"v", "book", "log", "k", "at", "no"}
        and [f["v"], f["book"], f["log"]] == [1, book, log]
        and type(f["k"]) is type(f["at"]) is str
        and is_instant(f["at"])
        and is_whole(f["no"], 1)
        and is_plain(f)
    )
    if not is_sound:
        raise Broken("bad-fact")
    if f["no"] != last_no + 1 and (last_no or not is_part):
        raise Broken("fact-gap", no=f["no"])
    return f["no"]


def instant(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def is_just_behind(at, later):
    """Tell whether an instant comes within a minute behind another: two of one act."""
    one, two = (datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ") for text in (at, later))
    return timedelta(0) <= two - one <= timedelta(minutes=1)


def commitment(salt, text):
    """Return HMAC-SHA-256 in hex, as RFC 2104 spells it: for short texts hmac.digest takes half as long again."""
    key = salt.ljust(64, b"\0") if len(salt) <= 64 else hashlib.sha256(salt).digest().ljust(64, b"\0")
    inner = hashlib.sha256(key.translate(INNER) + text.encode()).digest()
    return hashlib.sha256(key.translate(OUTER) + inner).hexdigest()


INNER, OUTER = (bytes(octet ^ pad for octet in range(256)) for pad in (0x36, 0x5C))


def digest(text):
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


class Once:
    """Sees to it that nothing comes twice, with 16 bytes for each."""

    def __init__(self):
        self.seen = bytearray()

    def _each(self):
        return (bytes(self.seen[at : at + 16]) for at in range(0, len(self.seen), 16))

    def all(self):
        return set(self._each())

    def check(self, what):
        """Refuse what comes twice, naming the entry where it comes again."""
        known = self.all()
        if len(known) * 16 < len(self.seen):
            twice = next(place for place, one in enumerate(self._each(), 1) if one not in known or known.remove(one))
            raise Broken("twice", n=twice, what=what)


class Line:
    """Where an account stands in one unit, and its statement of the running month."""

    __slots__ = ("at", "balance", "credit", "debit", "first", "lots", "month", "n", "opening")

    def __init__(self):
        self.n, self.balance, self.at, self.month, self.lots = 0, 0, "", "", Lots()


Said = namedtuple("Said", "award account request missing taken let_go steps opened ends closed")


class Shortfall:
    """What a reversal could not take of an award, and what was offset for it from later ones (kind offset)."""

    def __init__(self):
        #: What the export says; what the award gave, its reversal took and when; what offsets took, in how many steps.
        self.said, self.given, self.back, self.reversed_at, self.taken, self.steps = None, None, 0, None, 0, 0

    def points(self, legs):
        return sum(leg[1] for leg in legs if leg[0] == (self.said.account, "points") and leg[2])

    def offset(self, entry, legs):
        """Take the next offset: this holder's, in turn, no more than is missing, within a year behind the reversal."""
        amount = -self.points(legs)
        self.taken, self.steps = self.taken + amount, self.steps + 1
        _, _, step = entry.source_id.partition(":")
        is_in_time = self.said.opened <= entry.at and (
            entry.at < self.said.ends or is_just_behind(self.said.ends, entry.at)
        )
        is_in_turn = step == str(self.steps) or self.given is None
        if amount <= 0 or self.taken > self.said.missing or not is_in_time or not is_in_turn:
            raise Broken("bad-offset")

    def check(self, approved_at):
        """Hold what the export says against the leaves; approved_at: when the deeds say so, None where they can't."""
        said, day = self.said, date.fromisoformat(local_day(self.said.opened))
        last = date(day.year + 1, 3, 1) if (day.month, day.day) == (2, 29) else day.replace(year=day.year + 1)
        opened_at = [at for at in (self.reversed_at, approved_at) if at]
        is_settled = said.taken + said.let_go == said.missing
        faults = {
            "missing": self.given is not None and self.given - self.back != said.missing,
            "offset": self.given is not None and (self.taken, self.steps) != (said.taken, said.steps),
            "opened": not all(is_just_behind(*sorted([at, said.opened])) for at in opened_at),
            "ends": said.ends != instant(datetime(last.year, last.month, last.day) - AHEAD),
            "let go": said.let_go and (said.closed == "-" or said.closed < said.ends),
            "closed": said.let_go < 0 or said.taken + said.let_go > said.missing or is_settled != (said.closed != "-"),
        }
        for what in faults:
            if faults[what]:
                raise Broken("bad-shortfall", award=said.award, what=what)


class Book:
    """The book as rebuilt from its leaves."""

    def __init__(self, number, start):
        #: `start`: the first leaf that is here; what came before is known only from a book that goes on.
        self.number, self.start = number, start
        self.lines, self.sums, self.days, self.sold, self.taken = {}, {}, {}, {}, {}
        self.reversed_later, self.originals = set(), {}
        self.shortfalls, self.listed, self.notices = {}, set(), {}
        self.ids, self.seqs, self.sources = Once(), Once(), Once()
        self.seals, self.erasures, self.new_keys, self.unopened = [], [], [], []
        self.next_index, self.fact_no = start, 0
        self.entries = self.legs = self.reversals = self.two = self.openings = self.keys = 0
        self.expiries = self.expired = self.settlements = self.months = 0

    def hold_against(self, export):
        """Take from an export what its leaves are held against."""
        self.two_people_from = export.about["two_people_from"]
        self.accounts = dict(export.rows("accounts.txt", int, str))
        if not set(self.accounts.values()) <= GUARDED | SUMMED:
            raise Broken("bad-row", name="accounts.txt", row="?")
        self.rules = {(code, at): starts for code, at, starts, _ in export.rows("rules.txt", str, int, str, str)}
        self.closed = sorted(export.rows("closed_days.txt", str, int, str))
        self.lowest, last = [], MAX_WHOLE
        for _, last_seq, _ in reversed(self.closed):
            last = min(last, last_seq)
            self.lowest.insert(0, last)
        said = export.rows("statements.txt", int, str, str, *[int] * 6)
        self.said = {(account, unit, month): figures for account, unit, month, *figures in said}
        self.day, self.day_ends = "", 0
        self.is_part, self.is_opened = export.start > 0, export.about["with_openings"]
        self.unopened = []
        self.expect(export)

    def expect(self, export):
        """Learn which originals are needed later, and who was told of what expires.

        Only a hint, so that not every original is kept: what it leaves out is refused.
        """
        self.reversed_later.update(entry for (entry,) in export.rows("reversed.txt", str))
        self.listed = set()
        for row in export.rows("offsets.txt", str, int, str, int, int, int, int, str, str, str):
            if row[0] in self.listed:
                raise Broken("bad-shortfall", award=row[0], what="twice")
            self.listed.add(row[0])
            self.shortfalls.setdefault(row[0], Shortfall()).said = Said(*row)
        for account, until, noted_on in export.rows("notices.txt", int, str, str):
            self.notices[account, until] = noted_on

    # -- one leaf --

    def leaf(self, index, leaf, opening=None):
        """Take the next leaf of the log: an entry, or a fact that is none."""
        entry, fields = read_entry(leaf), {}
        try:
            if entry:
                self._entry(index, entry, opening)
            else:
                fields = read_leaf(leaf)
                self._fact(index, fields)
        except Broken as broken:
            what = f"{entry.kind} {entry.seq} {entry.id}" if entry else leaf[:60].decode("utf-8", "replace")
            raise Broken("at-leaf", index=index, what=what, why=broken) from None
        self.next_index = index + 1

    def _fact(self, index, f):
        if "k" not in f:
            raise Broken("bad-entry")
        self.fact_no = check_fact(f, self.number, 1, self.fact_no, self.start > 0)
        if f["k"] == "snap":
            self.seals.append((index, f))
        elif f["k"] == "erase":
            if f["by"].partition(":")[2] == f["ok"].partition(":")[2]:
                raise Broken("alone")
            self.erasures.append(f)
        elif f["k"] == "key":
            self.new_keys.append((index, f))

    def _entry(self, index, entry, opening):
        kind, seq, day = entry.kind, int(entry.seq), local_day(entry.at)
        if int(entry.book) != self.number or kind not in KINDS or seq > MAX_WHOLE:
            raise Broken("bad-entry")
        if not is_day(entry.on) or entry.on > day:
            raise Broken("bad-day")
        if day != self.day:
            place = bisect.bisect_left(self.closed, [day])
            self.day, self.day_ends = day, self.lowest[place] if place < len(self.closed) else MAX_WHOLE
        if seq > self.day_ends:
            raise Broken("closed", day=day)
        if entry.ok or (kind in TWO_PEOPLE and seq >= self.two_people_from):
            if (entry.ok or "").partition(":")[2] in ("", entry.by.partition(":")[2]):
                raise Broken("alone")
            self.two += 1
        if entry.rule and entry.on < self.rules.get((entry.rule, int(entry.version)), NEVER):
            raise Broken("unknown-rule", rule=f"{entry.rule} {entry.version}")
        self.ids.seen += bytes.fromhex(entry.id)
        self.seqs.seen += seq.to_bytes(16, "big")
        self.sources.seen += digest(f"{kind} {entry.source} {entry.source_id}" if entry.source else entry.id)
        legs = entry.legs
        self._follow(entry, seq, day)
        if entry.id in self.shortfalls:
            shortfall = self.shortfalls[entry.id]
            shortfall.given = shortfall.points(legs)
        if kind == "offset":
            self._offset(entry, legs)
        if entry.rev:
            self._reversal(entry, legs)
        elif entry.id in self.reversed_later:
            self.originals[entry.id] = {leg[0]: leg[1] for leg in legs}
        self._private(index, entry, opening)
        self.entries += 1

    def _reversal(self, entry, legs):
        """A reversal comes once, behind its original, is its mirror, and is not itself reversed."""
        self.reversals += 1
        mirror = {leg[0]: -leg[1] for leg in legs}
        original = self.originals.pop(entry.rev, None)
        if entry.rev in self.shortfalls:
            shortfall = self.shortfalls[entry.rev]
            shortfall.back, shortfall.reversed_at = -shortfall.points(legs), entry.at
        # What stands before the part that was exported is not here to be compared.
        is_before = original is None and self.start
        is_mirror = original == mirror or is_before
        is_part = not is_mirror and entry.kind == "reversal" and self._takes_all(entry.rev, original, mirror)
        if entry.id in self.reversed_later or not (is_mirror or is_part):
            raise Broken("bad-reversal")

    def _offset(self, entry, legs):
        """An offset takes from one holder and gives it back to the bank, for an award that was taken back in part."""
        shortfall = self.shortfalls.get(entry.source_id[:32]) if entry.source == "offset" else None
        is_whole = shortfall and len(legs) == 2 and all(unit == "points" for (_, unit), *_ in legs)
        if not is_whole or (shortfall.given is None and not self.start):
            raise Broken("bad-offset")
        shortfall.offset(entry, legs)

    def _takes_all(self, rev, original, mirror):
        """Less is taken than was given only where the holder has no more; then the export states what is missing."""
        taken = dict(mirror)
        for (account, unit), given in (original or {}).items():
            part = taken.pop((account, unit), 0)
            if not min(0, given) <= part <= max(0, given):
                return False
            if part == given or self.accounts[account] not in GUARDED:
                continue
            is_stated = unit == "minutes" or rev in self.shortfalls
            if given < 0 or self.lines[account, unit].balance or not is_stated:
                return False
        return not taken

    def _private(self, index, entry, opening):
        if opening is not None:
            _, salt, content = opening
            if not entry.m:
                raise Broken("stray-private")
            if commitment(salt, content) != entry.m:
                raise Broken("bad-private")
            self.openings += 1
        elif entry.m and self.is_opened:
            self.unopened.append((index, entry.id, {leg[0][0] for leg in entry.legs}))

    def _follow(self, entry, seq, day):
        """Carry each account on by one line."""
        points = minutes = 0
        accounts, sums, of_day = self.accounts, self.sums, self.days.get((day, entry.kind))
        if of_day is None:
            of_day = self.days[day, entry.kind] = [0, 0, 0, 0, 0]
        of_day[0] += 1
        for leg in entry.legs:
            place, amount, n, _, until = leg
            if place[1] == "points":
                points += amount
            else:
                minutes += amount
            if not -MAX_WHOLE <= amount <= MAX_WHOLE or (until and (amount < 0 or not is_day(until))):
                raise Broken("bad-leg")
            holder = accounts.get(place[0])
            if holder is None or (holder in GUARDED) != (n > 0):
                raise Broken("bad-account", account=place[0])
            if n:
                of_day[(1 if place[1] == "points" else 3) + (amount < 0)] += abs(amount)
                self._line(entry, leg, seq, day)
                continue
            total = sums[place] = sums.get(place, 0) + amount
            if holder == "merchant":
                self._sell(entry, place[0], amount, total, day[:7])
        if points or minutes or len({leg[0] for leg in entry.legs}) < len(entry.legs):
            raise Broken("unbalanced")
        self.legs += len(entry.legs)

    def _sell(self, entry, account, amount, total, month):
        """Keep what a merchant sold by month, and what its settlements took."""
        if entry.kind in SETTLE:
            self.taken[entry.id] = account, -amount
            if total < 0 and not self.start:
                raise Broken("oversettled", account=account)
        else:
            self.sold[account, month] = self.sold.get((account, month), 0) + amount

    def _line(self, entry, leg, seq, day):
        """The account's next line: number and balance follow from the one before, and time does not run backwards."""
        place, amount, n, balance, until = leg
        account, unit = place
        line = self.lines.get(place)
        if line is None:
            line = self.lines[place] = Line()
            if self.start and n > 1:
                # The account comes from before the part that was exported: its lots are not known.
                line.n, line.balance, line.lots = n - 1, balance - amount, None
        if n != line.n + 1:
            raise Broken("gap", account=account, due=line.n + 1, n=n)
        if balance != line.balance + amount:
            raise Broken("bad-balance", account=account, n=n)
        if not 0 <= balance <= MAX_WHOLE:
            raise Broken("negative", account=account)
        if entry.at < line.at:
            raise Broken("backwards", account=account, n=n)
        if day[:7] != line.month:
            self._close_month(account, unit, line)
            line.month, line.opening, line.credit, line.debit, line.first = day[:7], line.balance, 0, 0, n
        if amount > 0:
            line.credit += amount
        else:
            line.debit -= amount
        line.n, line.balance, line.at = n, balance, entry.at
        if unit == "points" and line.lots is not None:
            if entry.kind == "expiry" and amount < 0:
                self.expiries += 1
                self.expired -= amount
                if -amount > line.lots.due(day):
                    raise Broken("early-expiry", account=account)
                self._announced(account, line.lots, -amount, day)
            line.lots.move(entry.id, seq, amount, until, entry.rev, entry.id in self.reversed_later)

    def _announced(self, account, lots, amount, day):
        """Points go seven days after their holder could read of it, at the earliest."""
        week_before = (date.fromisoformat(day) - timedelta(days=7)).isoformat()
        for until, _, rest in lots.left:
            if self.notices.get((account, until), NEVER) > week_before:
                raise Broken("unannounced", account=account, day=until)
            amount -= rest
            if amount <= 0:
                return

    def _close_month(self, account, unit, line):
        """Hold the account's statement of its last month against what its lines came to."""
        if not line.month:
            return
        said = self.said.pop((account, unit, line.month), None)
        found = [line.opening, line.credit, line.debit, line.balance, line.first, line.n]
        # Of a part, a month may have begun before it; then only its end can be told.
        is_whole_month = line.first == 1 or line.lots is not None or not self.start
        if said is None and self.is_part:
            return
        if said is None or (said != found if is_whole_month else [said[3], said[5]] != [found[3], found[5]]):
            raise Broken("bad-statement", account=account, month=line.month, unit=unit, said=said, found=found)
        self.months += 1

    # -- the end --

    def finish(self, export):
        """Check what can only be told when all leaves were read."""
        for (account, unit), line in self.lines.items():
            self._close_month(account, unit, line)
        for (account, unit, month), said in self.said.items():
            if not self.is_part:
                raise Broken("bad-statement", account=account, month=month, unit=unit, said=said, found="-")
        for once, what in ((self.ids, "id"), (self.seqs, "seq"), (self.sources, "src")):
            once.check(what)
        self._check_balances(export.rows("balances.txt", int, str, int, int, str))
        if not self.is_part:
            self._check_settlements(export.rows("settlements.txt", int, str, int, str))
            self._check_keys(export.rows("keys.txt", str, str, str, str))
        self._check_seals()
        for index, entry, accounts in self.unopened:
            if not accounts & self.gone():
                raise Broken("at-leaf", index=index, what=entry, why=say("lost-private"))

    def gone(self):
        """Return the accounts whose holders were forgotten."""
        return {fields["a"] for fields in self.erasures}

    def check_shortfalls(self, deeds):
        """Hold every shortfall against the leaves, and against the deeds, which tell when a reversal was approved."""
        for award, shortfall in self.shortfalls.items():
            said = shortfall.said
            if award not in self.listed or (shortfall.given is None and not self.start):
                raise Broken("bad-shortfall", award=award, what="award")
            account, approved_at = deeds.approvals.get(f"approval:{said.request}", (said.account, None))
            # A deed that was done just now may not be in the tree yet.
            is_sealed = (
                not deeds.start and said.opened < deeds.last_at and not is_just_behind(said.opened, deeds.last_at)
            )
            if account != said.account or (approved_at is None and is_sealed):
                raise Broken("bad-shortfall", award=award, what="approval")
            shortfall.check(approved_at)

    def _check_balances(self, rows):
        expected = {(account, unit) for account, kind in self.accounts.items() if kind in GUARDED for unit in UNITS}
        nothing = Line()
        for account, unit, n, balance, at in rows:
            line = self.lines.get((account, unit), nothing)
            is_before = self.start and not line.n
            is_right = is_before or (n, balance, at) == (line.n, line.balance, line.at or "-")
            if (account, unit) not in expected or not is_right:
                raise Broken("bad-row-of-balance", account=account, unit=unit)
            expected.remove((account, unit))
        for account, unit in sorted(expected):
            raise Broken("bad-row-of-balance", account=account, unit=unit)

    def _check_settlements(self, rows):
        """A settled month is what was sold in it, to the point, and its entries take just that off the account."""
        settled, taken = {}, dict(self.taken)
        for account, month, points, entry in rows:
            settled[account, month] = settled.get((account, month), 0) + points
            self.settlements += 1
            if taken.pop(entry, (account, 0) if entry == "-" else None) != (account, points):
                raise Broken("bad-settlement", account=account, month=month)
        for (account, month), points in settled.items():
            if self.sold.get((account, month), 0) != points:
                raise Broken("bad-settlement", account=account, month=month)
        for account, _ in taken.values():
            raise Broken("bad-settlement", account=account, month="?")

    def _check_keys(self, rows):
        """One key, one effect: no key comes twice, and every entry has exactly one."""
        unanswered, before = self.ids.all(), ("", "")
        for actor, key, entry, refusal in rows:
            if (actor, key) <= before:
                raise Broken("key-twice", key=key)
            before = actor, key
            found = bytes.fromhex(entry) if is_id(entry) else b""
            if (entry == "-") == (refusal == "-") or (entry != "-" and found not in unanswered):
                raise Broken("bad-answer", key=key)
            unanswered.discard(found)
            self.keys += 1
        if unanswered:
            raise Broken("keyless", n=len(unanswered))

    def _check_seals(self):
        """Hold every day's seal against what was posted until its end, and against the accounts and the close."""
        closed = {day: [last, at] for day, last, at in self.closed}
        accounts, taken, hashed = sorted(self.accounts.items()), 0, hashlib.sha256()
        kinds_of, ahead, points, minutes = {}, sorted(self.days.items(), reverse=True), 0, 0
        for (day, kind), sums in self.days.items():
            kinds_of.setdefault(day, {})[kind] = sums
        for _, seal in self.seals:
            day = seal["day"]
            while ahead and ahead[-1][0][0] <= day:
                _, (_, points_in, points_out, minutes_in, minutes_out) = ahead.pop()
                points, minutes = points + points_in - points_out, minutes + minutes_in - minutes_out
            said = {kind: [one[name] for name in ("n", "pi", "po", "mi", "mo")] for kind, one in seal["kinds"].items()}
            figures = said, seal["points"], seal["minutes"]
            if not self.start and figures != (kinds_of.get(day, {}), points, minutes):
                raise Broken("bad-seal", day=day)
            if seal.get("two", self.two_people_from) != self.two_people_from:
                raise Broken("bad-seal", day=day)
            if "last" in seal and closed.get(day) != [seal["last"], seal["closed"]]:
                raise Broken("bad-close", day=day)
            if "accounts" in seal:
                for account, kind in accounts[taken : seal["accounts"]["n"]]:
                    hashed.update(f"{account} {kind}\n".encode())
                taken = max(taken, seal["accounts"]["n"])
                if taken > len(accounts) or hashed.hexdigest() != seal["accounts"]["hash"]:
                    raise Broken("bad-accounts", day=day)


# ---- 8. The export: a zip of plain files, each read as a stream and held against the manifest ------------------------

FORMAT = "moralbank-export/1"
#: What exports of earlier versions don't hold. Who leaves them out today is refused where a leaf needs them.
ADDED_LATER = {"offsets.txt", "notices.txt"}
#: What a damaged archive makes Python's zip reader raise.
ODD = NotImplementedError, RuntimeError, ValueError, KeyError
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, *ODD)


class Export:
    """An export; what the manifest does not list, or lists otherwise, is refused."""

    def __init__(self, path):
        try:
            self.zip = zipfile.ZipFile(path)
            manifest = read_json(self.zip.read("manifest.json"))
            self.files = {row["name"]: (row["bytes"], row["sha256"]) for row in manifest["files"]}
            if manifest["format"] != FORMAT or sorted([*self.files, "manifest.json"]) != sorted(self.zip.namelist()):
                raise KeyError(FORMAT)
            self.unread = set(self.files)
            self.about = read_json(b"".join(self.chunks("book.json")))
            self.number, self.start = self.about["book"], self.about["ledger"]["start"]
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise Unusable("no-file", path=path, error=error) from None
        except (*DAMAGED, OSError, TypeError, Broken):
            raise Broken("not-export", path=path) from None

    def chunks(self, name):
        """Yield a file's bytes; refuse it at its end when they are not those of the manifest."""
        hashed, seen = hashlib.sha256(), 0
        try:
            with self.zip.open(name) as stream:
                for chunk in iter(lambda: stream.read(1 << 20), b""):
                    hashed.update(chunk)
                    seen += len(chunk)
                    yield chunk
        except (*DAMAGED, OSError):
            seen = -1
        if (seen, hashed.hexdigest()) != self.files.get(name):
            raise Broken("bad-file", name=name)
        self.unread.discard(name)

    def lines(self, name):
        """Yield a file's lines; each ends with a newline, the last one too."""
        rest = b""
        for chunk in self.chunks(name):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
        if rest:
            raise Broken("bad-file", name=name)

    def rows(self, name, *types):
        """Yield a file's lines as lists of values of these types, between which a blank stands; - is nothing."""
        if name in ADDED_LATER and name not in self.files:
            return
        last, converted = len(types) - 1, [(place, kind) for place, kind in enumerate(types) if kind is not str]
        for number, line in enumerate(self.lines(name), 1):
            row = line.decode("utf-8", "replace").split(" ", last)
            try:
                for place, kind in converted:
                    row[place] = kind(row[place])
                row[last]
            except (ValueError, IndexError):
                raise Broken("bad-row", name=name, row=number) from None
            yield row

    def text(self, name):
        return b"".join(self.chunks(name)).decode("utf-8", "replace")

    def finish(self):
        """Read what nobody read, so that every file was held against the manifest."""
        for name in sorted(self.unread):
            for _ in self.chunks(name):
                pass


class Log:
    """One of the two logs in an export: its leaves hashed into a tree, its checkpoints held against it."""

    def __init__(self, export, name):
        about = export.about[name]
        self.export, self.name = export, name
        self.start, self.size, self.said_root = about["start"], about["size"], about["root"]
        self.tree = Frontier(self.start, [bytes.fromhex(one) for one in about["frontier"]])
        self.names = {origin for _, origin in about["origins"]}
        self.roots, self.checkpoints, last = {}, [], -1
        for line in export.lines(f"{name}/checkpoints.jsonl"):
            checkpoint = read_checkpoint(str(read_json(line)).encode())
            if checkpoint.size <= last:
                raise Broken("two-checkpoints", size=checkpoint.size)
            # A log that could not be continued has another name above a size.
            names = [origin for above, origin in about["origins"] if checkpoint.size > above or not above]
            if checkpoint.origin not in names[-1:]:
                raise Broken("other-log", origin=checkpoint.origin)
            last = checkpoint.size
            self.checkpoints.append(checkpoint)
        if last > self.size:
            raise Broken("too-few-leaves", size=last, have=self.size)

    def leaves(self, more_sizes=()):
        """Yield index and bytes of every leaf, while the root is compared at every signed size."""
        signed = {checkpoint.size: checkpoint.root for checkpoint in self.checkpoints}
        wanted, tree = {*more_sizes, *signed}, self.tree
        self._compare(signed, wanted)
        for leaf in self.export.lines(f"{self.name}/leaves.jsonl"):
            yield tree.size, leaf
            tree.append(leaf_hash(leaf))
            if tree.size in wanted:
                self._compare(signed, wanted)
        if tree.size != self.size:
            raise Broken("other-count", size=self.size, have=tree.size)
        if tree.root().hex() != self.said_root:
            raise Broken("other-head")

    def _compare(self, signed, wanted):
        size = self.tree.size
        if size in wanted:
            root = self.roots[size] = self.tree.root()
            if signed.get(size, root) != root:
                raise Broken("other-root", size=size)


def replay(export, book, more_sizes=()):
    """Hash and replay the ledger's log up to the last sealed leaf; return the log."""
    log = Log(export, "ledger")
    openings = export.rows("openings.txt", int, bytes.fromhex, str) if export.about["with_openings"] else iter(())
    book.upcoming, book.openings_left = next(openings, NO_OPENING), openings
    for index, leaf in log.leaves(more_sizes):
        if index >= book.next_index:
            take(book, index, leaf)
        if not index % 50_000:
            progress(index)
    return log


NO_OPENING = [MAX_WHOLE, b"", ""]


def take(book, index, leaf):
    """Give a leaf to the book together with its private part, when that is here."""
    opening = None
    if book.upcoming[0] == index:
        opening, book.upcoming = book.upcoming, next(book.openings_left, NO_OPENING)
    book.leaf(index, leaf, opening)


def check_book(export, book, more_sizes=()):
    """Replay the ledger's log with what waits for its place in it, and hold the rest of the export against it."""
    log = replay(export, book, more_sizes)
    for place, leaf in enumerate(export.lines("unsealed.jsonl")):
        take(book, log.size + place, leaf)
    if book.upcoming[0] < MAX_WHOLE:
        raise Broken("stray-private")
    for seq, what in export.rows("differences.txt", int, str):
        raise Broken("bad-table", seq=seq, what=what)
    book.finish(export)
    return log


def check_access(export, gone):
    """Hash the log of deeds, see that none of its numbers is missing, and open what its leaves commit to; return it.

    gone: accounts whose holders were forgotten, with what was written beside the deeds about them.
    """
    log = Log(export, "access")
    log.new_keys, log.approvals, log.notes, log.last_at, last_no = [], {}, 0, "", 0
    is_opened = export.about["with_openings"]
    openings = export.rows("access/openings.txt", int, bytes.fromhex, str) if is_opened else iter(())
    upcoming = next(openings, NO_OPENING)
    for index, leaf in log.leaves():
        try:
            fields = read_leaf(leaf)
            last_no = check_fact(fields, export.number, 2, last_no, log.start > 0)
            log.last_at = max(log.last_at, fields["at"])
            if upcoming[0] == index:
                if commitment(upcoming[1], str(read_json(upcoming[2].encode()))) != fields.get("m"):
                    raise Broken("bad-private")
                upcoming, log.notes = next(openings, NO_OPENING), log.notes + 1
            elif is_opened and "m" in fields and fields.get("a") not in gone:
                raise Broken("lost-private")
        except Broken as broken:
            raise Broken("at-leaf", index=index, what="access", why=broken) from None
        if fields["k"] == "key":
            log.new_keys.append((index, fields))
        elif fields["k"] == "approve":
            log.approvals[fields.get("src")] = fields.get("a"), fields["at"]
    if upcoming[0] < MAX_WHOLE:
        raise Broken("stray-private")
    return log


# ---- 9. Signatures: the log's own on every checkpoint, the witnesses' as the policy asks -----------------------------

#: Of more checkpoints, only so many signatures are verified unless all are asked for. Every root is compared.
SIGNATURES = 5_000


def check_signatures(log, policy, is_yours, new_keys, wants_all):
    """Verify what was signed; return how many checkpoints were, how many with enough witnesses, the last size of these.

    A key of the log is trusted when you brought it (or, when you brought none of the deeds' log or none at all, when it
    is the export's first), and when a trusted key handed over to it in a leaf below a checkpoint that a trusted key
    signed. The newest checkpoint must bear a trusted signature.
    """
    stated = [VerifierKey(text) for (text,) in log.export.rows(f"{log.name}/keys.txt", str)]
    mine = [key for key in policy.logs if is_yours and (log.name == "ledger" or key.name in log.names)]
    trusted = {key.text: key for key in (mine if mine or (is_yours and log.name == "ledger") else stated[:1])}
    every = 1 if wants_all else max(1, len(log.checkpoints) // SIGNATURES)
    chosen = [one for place, one in enumerate(reversed(log.checkpoints)) if place % every == 0][::-1]
    cosigned, cosigned_size = 0, 0
    for checkpoint in chosen:
        known = {key.text: key for key in (*trusted.values(), *stated)}.values()
        signed = [key for key in known if key.name == checkpoint.origin and key.has_signed(checkpoint, SIGNS)]
        is_trusted = any(key.text in trusted for key in signed)
        if not signed or (checkpoint is chosen[-1] and not is_trusted):
            raise Broken("unsigned", size=checkpoint.size, origin=checkpoint.origin)
        for index, fields in new_keys:
            if is_trusted and index < checkpoint.size and fields.get("old") in trusted:
                trusted[fields["new"]] = successor(trusted[fields["old"]], fields)
        if policy.is_met(policy.cosigners(checkpoint)):
            cosigned, cosigned_size = cosigned + 1, checkpoint.size
    if log.size and not chosen:
        raise Broken("no-checkpoint", log=log.name)
    if chosen and not cosigned:
        raise Broken("no-cosigned", log=log.name)
    return len(chosen), cosigned, cosigned_size


def successor(old, fields):
    """Return the key to which an old one hands the log over, by its signature in the leaf."""
    text = f"moralbank key\n{fields['origin']}\n{fields['new']}\n{fields['until']}\n"
    if not old.has_signed(Checkpoint(fields["origin"], 0, b"", text, [read_signature(fields["sig"])]), SIGNS):
        raise Broken("unsigned", size=0, origin=fields["origin"])
    return VerifierKey(fields["new"])


def trust(words, export=None):
    """Return whose signatures count, by what was named or by the export itself, and whether you named it."""
    if not words:
        if export is None:
            raise Unusable("no-key")
        return Policy(export.text("policy.txt")), False
    texts = []
    for word in words:
        if not Path(word).is_file() and "+" in word:
            texts.append(word)
        else:
            texts.append(Export(word).text("policy.txt") if zipfile.is_zipfile(word) else read_file(word).decode())
    policy = Policy("\n".join(texts))
    if not policy.logs:
        raise Unusable("no-key")
    return policy, True


def read_file(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Unusable("no-file", path=path, error=error) from None


# ---- 10. An export, alone or as what an older one grew into ----------------------------------------------------------


def verify(path, words, wants_all, old=None):
    """Check a whole export, and that an old one is its beginning."""
    export = Export(path)
    policy, is_yours = trust(words, export)
    then, book = read_old(old, policy, export) if old else (None, Book(export.number, export.start))
    book.hold_against(export)
    log = check_book(export, book, [then.size] if then else [])
    if then and log.roots.get(then.size) != then.root:
        raise Broken("rewritten", size=then.size)
    deeds = check_access(export, book.gone())
    book.check_shortfalls(deeds)
    signed = check_signatures(log, policy, is_yours, book.new_keys, wants_all)
    signed_deeds = check_signatures(deeds, policy, is_yours, deeds.new_keys, wants_all)
    export.finish()
    about = export.about
    print(say("f-book", code=about["code"], name=about["name"], at=about["at"]))
    if then:
        tell(then.size, "f-old")
    tell_log(log, signed)
    tell(book.next_index - log.size, "f-unsealed")
    tell_log(deeds, signed_deeds)
    tell(deeds.notes, "f-notes")
    tell_book(book)
    if not is_yours:
        print(say("own-keys"))
    print(say("sound"))


def tell(number, sentence, /, **values):
    print(f"{number:>16,}  {say(sentence, **values)}")


def tell_log(log, signed):
    count, cosigned, size = signed
    newest = log.checkpoints[-1].size if log.checkpoints else 0
    tell(log.size - log.start, "f-leaves", log=log.name, root=log.tree.root().hex())
    tell(len(log.checkpoints), "f-checkpoints", n=count)
    tell(cosigned, "f-cosigned", size=size)
    tell(log.size - newest, "f-unsigned")


def tell_book(book):
    tell(book.entries, "f-entries", legs=book.legs, accounts=len(book.accounts))
    tell(book.reversals, "f-reversals")
    tell(book.two, "f-two")
    tell(book.expiries, "f-expiries", points=book.expired)
    tell(len(book.notices), "f-notices")
    short = [shortfall.said for shortfall in book.shortfalls.values()]
    missing, taken, let_go = (sum(said[place] for said in short) for place in (3, 4, 5))
    tell(len(short), "f-shortfalls", missing=missing, taken=taken, let_go=let_go)
    tell(book.settlements, "f-settlements")
    tell(book.months, "f-statements")
    tell(len(book.closed), "f-days", seals=len(book.seals))
    tell(book.openings, "f-private")
    tell(book.keys, "f-keys")
    tell(len(book.erasures), "f-erasures", which=", ".join(str(fields["no"]) for fields in book.erasures) or "-")
    for unit in UNITS:
        tell(
            sum(line.balance for (_, of), line in book.lines.items() if of == unit),
            "f-outstanding",
            unit=say(f"unit-{unit}"),
        )


def read_old(path, policy, export):
    """Return an old checkpoint (or an old export's end), and the book from which the new export goes on."""
    if not zipfile.is_zipfile(path):
        then = read_checkpoint(read_file(path))
        if policy.logs:
            policy.demand(then)
        book = Book(export.number, export.start)
        is_there = export.start <= then.size
    else:
        old = Export(path)
        if old.number != export.number:
            raise Broken("other-book")
        book = Book(old.number, old.start)
        book.expect(export)
        book.hold_against(old)
        tree = replay(old, book).tree
        then = Checkpoint("", tree.size, tree.root(), "", [])
        if not export.start:
            book = Book(export.number, 0)
        is_there = export.start <= then.size
    if then.size > export.about["ledger"]["size"]:
        raise Broken("set-back", size=then.size, have=export.about["ledger"]["size"])
    if not is_there:
        raise Broken("not-joined")
    return then, book


# ---- 11. One line: a tlog-proof --------------------------------------------------------------------------------------


def verify_proof(path, words, leaf_path, typed):
    """Check that one leaf is in the log that was signed."""
    policy, _ = trust(words)
    index, steps, leaf, checkpoint = read_proof(read_file(path))
    leaf = read_file(leaf_path) if leaf_path else leaf
    if typed and not is_hash(typed.lower()):
        raise Unusable("bad-hash")
    if not leaf and not typed:
        raise Unusable("no-leaf")
    if leaf:
        read_leaf(leaf)
    hashed = leaf_hash(leaf) if leaf else bytes.fromhex(typed)
    if typed and hashed.hex() != typed.lower():
        raise Broken("other-leaf")
    count = policy.demand(checkpoint)
    if not is_included(hashed, index, checkpoint.size, steps, checkpoint.root):
        raise Broken("proof-fails")
    print(say("proof-holds", index=index, origin=checkpoint.origin, size=checkpoint.size, n=count))


def read_proof(data):
    """Return index, path, extra data and checkpoint of a tlog-proof."""
    above, _, below = data.partition(b"\n\n")
    lines = above.decode("latin-1").split("\n")
    extra = unbase64(lines.pop(1)[6:]) if lines[1:] and lines[1].startswith("extra ") else b""
    head, index, *path = [*lines, ""][:2] + lines[2:]
    steps = [unbase64(line) or b"" for line in path]
    is_sound = head == "c2sp.org/tlog-proof@v1" and index[:6] == "index " and _DECIMAL.fullmatch(index[6:])
    if not is_sound or extra is None or len(steps) > 63 or any(len(step) != 32 for step in steps):
        raise Broken("bad-proof")
    return int(index[6:]), steps, extra, read_checkpoint(below)


# ---- 12. A month of an account: its lines are in the signed book, and none is missing --------------------------------


def verify_statement(path, words):
    """Check a statement's file (docs/STATEMENT_FILE.md): every line proven, and the numbers without a gap."""
    policy, _ = trust(words)
    said = read_json(read_file(path))
    account, month = said["account"], date.fromisoformat(said["month"] + "-01")
    since, until = (instant(datetime(day.year, day.month, 1) - AHEAD) for day in (month, month + timedelta(days=31)))
    if [said["format"], said["since"], said["until"]] != ["moralbank-statement/1", since, until]:
        raise Broken("bad-form")
    lines, count, checkpoint = {}, 0, None
    if said["leaves"]:
        checkpoint = read_checkpoint(said["checkpoint"].encode())
        count = policy.demand(checkpoint)
    for one in said["leaves"]:
        leaf, steps = one["leaf"].encode(), [unbase64(step) or b"" for step in one["proof"]]
        if not is_included(leaf_hash(leaf), one["index"], checkpoint.size, steps, checkpoint.root):
            raise Broken(
                "at-leaf", index=one["index"], what=leaf[:40].decode("utf-8", "replace"), why=say("proof-fails")
            )
        m = take_lines(lines, leaf, said)
        private = one.get("private")
        if private and commitment(unbase64(private["salt"]), private["content"]) != m:
            raise Broken("at-leaf", index=one["index"], what=m, why=say("bad-private"))
    for leaf in said["waiting"]:
        take_lines(lines, leaf.encode(), said)
    found = {unit: check_section(account, unit, said[unit], lines.get(unit, {}), since, until) for unit in UNITS}
    total, minutes = sum(number for number, _ in found.values()), said["minutes"]["closing"]["balance"]
    points = said["points"]["closing"]["balance"]
    print(say("statement-holds", month=said["month"], lines=total, n=count, points=points, minutes=minutes))
    if said["waiting"]:
        print(say("waiting", n=len(said["waiting"])))
    if any(is_open for _, is_open in found.values()):
        print(say("open-end"))


def take_lines(lines, leaf, said):
    """Add to the lines, by unit and number, those of a leaf that are the account's; return its commitment."""
    entry = read_entry(leaf)
    if entry is None or int(entry.book) != said["book"]:
        raise Broken("bad-form")
    for (holder, unit), amount, n, balance, _ in entry.legs:
        if holder == said["account"] and n:
            lines.setdefault(unit, {})[n] = entry.at, amount, balance
    return entry.m


def check_section(account, unit, said, lines, since, until):
    """Return how many lines of the month there are, and whether none behind them is known yet."""
    first, last = said["opening"]["n"], said["closing"]["n"]
    balance, behind = said["opening"]["balance"], any(n > last for n in lines)
    needed = [*range(max(first, 1), last + 1), *([last + 1] if behind else [])]
    if not all(n in lines for n in needed):
        raise Broken("missing-line", account=account, unit=unit, n=next(n for n in needed if n not in lines))
    if balance != (lines[first][2] if first else 0):
        raise Broken("bad-balance", account=account, n=first)
    for n, (at, amount, after) in sorted(lines.items()):
        if (since <= at < until) != (first < n <= last):
            raise Broken("other-month", account=account, unit=unit, n=n)
        if first < n <= last:
            balance += amount
            if after != balance:
                raise Broken("bad-balance", account=account, n=n)
    if balance != said["closing"]["balance"]:
        raise Broken("bad-balance", account=account, n=last)
    return last - first, not behind


# ---- 13. The notice board: a root as 24 characters -------------------------------------------------------------------

#: What the three high bits of a character's number add to its low eight in the sum of the check bits.
FOLDED = (0, 176, 96, 208, 192, 112, 160, 16)
CHARACTERS = """
矮碍隘鞍安俺暗岸胺案肮昂盎熬傲澳芭叭巴拔跋靶坝爸白百摆拜斑班搬颁板版扮拌瓣邦榜绑傍胞包褒保饱宝报豹鲍杯碑北辈贝备惫本鼻笔
碧蔽毕庇痹闭弊必壁避陛鞭边编贬变辨遍标彪表憋彬斌濒宾兵冰柄丙秉饼并玻菠播波博勃搏舶脖膊驳哺补埠布步簿部擦猜财踩彩菜餐蚕灿
苍仓沧糙草策册测层蹭查察掺蝉缠铲产阐昌猖尝常偿敞畅唱超钞潮巢扯撤彻尘晨陈趁衬撑城橙成呈乘程诚承秤吃持池迟齿侈尺赤翅斥充虫
崇宠酬畴筹瞅丑初出橱厨雏除楚础储触揣穿船喘串窗床闯吹锤垂春淳纯疵茨磁辞慈瓷词此赐聪葱匆丛凑粗醋促摧催脆粹翠村存寸磋挫错搭
达戴带袋怠丹胆旦但淡荡档岛祷导到稻道德灯登等凳堤低滴笛狄涤底蒂第弟递缔滇点典垫电甸店奠淀殿雕刁掉吊钓碟蝶迭谍叠盯顶鼎定冬
懂动栋兜抖陡豆逗督独堵睹渡端短锻段断堆兑队墩蹲敦钝盾多朵舵鹅额厄遏鄂而儿耳尔饵二伐乏法帆番翻繁凡烦反返范贩饭泛芳方肪房防
妨仿访纺放非飞肥沸费氛汾粉奋份丰封枫峰风逢奉敷肤孵扶辐符伏俘浮福袱弗抚辅釜斧府赴副覆赋复阜父腹负富附缚噶该改概溉甘柑竿赶
感敢冈刚钢缸纲岗港杠高糕镐稿告哥歌搁鸽格蛤隔各根耕梗工攻功恭躬公弓巩拱共钩沟构购够辜菇咕姑古股故顾固雇刮瓜挂乖拐怪关官管
馆罐惯灌贯光广逛规圭归闺轨跪棍国果孩海亥涵寒函喊翰撼捍悍焊航壕豪毫耗浩禾何合盒河赫鹤黑亨衡恒烘虹鸿洪宏弘喉吼厚候后呼忽瑚
壶葫胡蝴狐湖弧虎唬护互户花哗滑画话徊怀欢环桓缓换唤焕黄簧凰惶煌幌恍灰挥辉恢回慧卉惠晦汇讳绘浑伙火获或货击基机积肌迹激绩吉
极辑集及急疾汲级挤技季祭剂寄计记既际继嘉家加颊驾坚尖煎兼肩艰检碱简剪减荐槛鉴键箭件健舰溅建江疆桨奖讲匠酱蕉椒胶浇骄娇搅矫
饺缴剿酵轿叫揭接街阶截杰捷睫洁姐戒界借介诫届筋斤金今津紧锦仅进晋浸鲸京精警景静境敬镜径靖竞揪究纠久九酒救旧舅鞠狙居驹菊局
举沮聚拒距句炬剧捐倦眷抉掘爵决诀均钧君俊竣开楷凯刊堪勘坎慷抗考烤靠磕颗科渴克刻客课肯恳孔控口扣枯窟酷库裤夸跨块宽款框矿眶
旷葵奎馈愧坤昆捆扩廓阔喇腊莱来蓝栏兰澜揽览缆琅廊朗浪劳老佬酪蕾垒肋类楞冷厘梨犁黎篱狸理李里鲤礼荔栗丽励历利例立粒沥力璃哩
联莲连镰廉怜帘敛脸链炼练粮梁良两辆亮谅聊僚寥辽烈猎林霖临邻鳞凛赁菱零龄铃灵陵领另琉榴留流柳咙垄陇楼漏陋芦颅炉麓碌路鹿禄录
侣旅履屡缕律滤乱轮萝螺逻锣洛麻码蚂马买麦卖迈瞒馒满慢茫忙莽猫茅锚毛茂帽貌么枚梅酶煤媒镁每美妹媚门们萌檬盟猛梦弥米觅蜜幂棉
眠绵冕免勉缅面苗描瞄藐秒渺庙妙民敏悯闽明鸣铭名命摸蘑膜墨默沫漠寞陌谋牟某拇牡姆母暮幕睦牧穆拿呐纳乃耐奈南男脑恼闹内嫩能拟
你腻年碾念酿捏镍涅您柠凝牛钮纽浓农努女暖挪糯诺欧偶啪趴爬帕拍排牌徘派攀盘畔乓旁抛泡培赔配佩沛砰烹澎蓬棚膨朋鹏捧碰霹批披啤
疲皮匹僻篇偏飘票拼频品聘乒坪苹萍平凭瓶评坡泼颇破剖仆葡菩埔普浦谱妻七漆其棋歧崎齐旗祈骑起岂企启契砌器气迄汽洽牵迁签谦钱前
潜谴嵌歉墙敲桥瞧侨巧俏窍钦勤擒寝沁青轻倾卿清擎晴顷请庆秋球求趋驱渠取趣去权泉全痊券缺却确裙群然燃染壤嚷饶扰绕热仁人忍韧认
刃扔仍蓉荣融熔溶容绒揉柔肉儒如汝软瑞润若萨赛三伞桑嗓涩森僧砂沙纱筛晒山删煽衫擅膳善缮商赏尚韶哨绍奢舍赦摄慑涉社设伸身深绅
神审甚慎渗声生升绳盛剩胜圣师失施湿诗十时蚀实史使驶始式示世事势是适释市室视试收手首守寿授售受蔬枢梳殊抒输叔舒淑疏书薯蜀术
述树束墅庶恕耍栓霜爽睡税瞬顺硕朔烁思私司丝肆寺嗣饲松耸颂送宋诵搜艘嗽苏酥俗素速塑溯肃酸蒜算虽隋随绥碎岁穗隧损笋梭索锁所他
它塔抬台泰态汰滩坛潭谈坦毯碳探叹炭塘堂棠唐糖倘躺涛滔萄桃淘讨套特藤腾梯剔踢题蹄替剃屉天添填田甜条跳贴铁厅听汀廷停亭庭挺艇
桐瞳铜童桶统头透秃突图途涂土团推腿退吞拖托脱陀驼椭挖蛙袜歪外弯湾玩完碗挽晚皖宛腕网旺望忘威微危韦违围维萎伟伪未蔚味畏位渭
慰卫温闻稳紊问蜗涡窝我卧握沃乌屋无芜梧吾武五舞伍坞雾晤物勿悟误析西晰吸牺稀息希悉夕惜溪袭席习喜洗隙戏细虾匣霞辖暇峡夏掀先
仙咸衔闲弦嫌显现献县馅羡宪限线厢香箱襄湘乡翔祥想响享项像象萧硝霄销消宵淆晓小孝肖啸笑效些鞋协挟携斜谐写械卸蟹懈泄泻谢屑薪
芯欣辛新心信衅星猩形醒幸杏姓兄雄熊休修嗅锈秀袖绣墟需虚须许蓄序恤絮绪续轩喧宣悬玄选靴学穴雪勋熏循询寻驯巡训讯逊迅压鸦丫芽
牙崖衙涯雅亚讶焉盐严研岩延言颜炎沿掩眼衍演艳堰燕雁彦焰宴谚验央扬羊洋痒养样邀腰摇遥窑药耀椰耶野页业腋夜液医依衣颐移胰疑沂
宜彝椅蚁倚矣以易亿役亦意忆义益议译异翼茵音姻吟银引隐印英樱婴鹰萤营迎赢盈影硬映拥庸雍踊泳涌永勇用幽优悠尤邮犹油游友佑幼淤
于愚舆余逾鱼愉渔娱雨屿禹羽域郁遇喻御愈育浴寓裕预豫渊元垣原援园源缘远苑院约越跃钥岳粤月悦阅匀允运蕴酝韵砸杂哉在咱暂赞遭糟
凿藻枣早澡造皂灶燥责则泽怎增赠札摘斋宅窄债沾盏辗崭展栈战站湛绽章彰漳张掌杖丈帐账仗障招昭沼照罩兆肇召遮哲辙者蔗浙珍真甄贞
针侦枕疹诊震振镇蒸睁征争整拯政帧证芝支蜘知肢脂汁之职直植执值侄址指止趾旨纸志至致置帜制智秩稚质滞治忠钟衷终肿仲众舟周洲粥
皱宙昼骤珠株蛛逐竹烛煮嘱主柱助贮铸筑住注祝驻抓拽专砖撰桩庄装状锥追缀准捉拙卓桌浊咨资姿滋淄孜紫籽子字棕踪宗总纵走足族组纂
嘴尊遵昨左佐做座
""".replace("\n", "")


def check_sum(numbers):
    """Return the sum of all places over GF(2^8), each times x to the power of its distance from the end."""
    total = 0
    for number in numbers:
        total = total << 1 ^ (0x11D if total & 0x80 else 0) ^ number & 0xFF ^ FOLDED[number >> 8]
    return total


def spell(root):
    """Return the 24 characters of a root: its bits in 24 numbers of 11, the last 8 bits such that the sum is zero."""
    bits = int.from_bytes(root, "big") << 8
    numbers = [bits >> 11 * place & 0x7FF for place in reversed(range(24))]
    numbers[-1] |= check_sum(numbers)
    return "".join(CHARACTERS[number] for number in numbers)


def read_board(text):
    """Return the root that somebody copied from a board, as 24 characters or 64 hexadecimal digits."""
    normal = unicodedata.normalize("NFKC", text)
    typed = "".join(one for one in normal if unicodedata.category(one)[0] not in "ZPCS")
    if is_hash(typed.lower()):
        return bytes.fromhex(typed)
    numbers, bits = [CHARACTERS.find(one) for one in typed], 0
    if -1 in numbers:
        raise Broken("bad-character", n=numbers.index(-1) + 1, one=typed[numbers.index(-1)])
    if len(numbers) != 24:
        raise Broken("bad-length", n=len(numbers))
    if check_sum(numbers):
        raise Broken("miscopied")
    for number in numbers:
        bits = bits << 11 | number
    return (bits >> 8).to_bytes(32, "big")


def verify_board(size, typed, path, words):
    """Hold what stands on a notice board against an export or a checkpoint."""
    root = read_board(typed)
    if zipfile.is_zipfile(path):
        log = Log(Export(path), "ledger")
        for _ in log.leaves([size]):
            pass
        found = log.roots.get(size)
    else:
        checkpoint = read_checkpoint(read_file(path))
        if words:
            trust(words)[0].demand(checkpoint)
        found = checkpoint.root if checkpoint.size == size else None
    if found is None:
        raise Broken("unknown-size", size=size)
    if found != root:
        raise Broken("other-board", right=spell(found))
    print(say("board-holds", size=size))


# ---- 14. The command line --------------------------------------------------------------------------------------------


def parse(words):
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS, description=__doc__, formatter_class=as_written)
    parser.add_argument("words", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--key", "--policy", action="append", default=[], dest="keys", help=argparse.SUPPRESS)
    for name in ("--leaf", "--hash", "--lang"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--all-signatures", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(words)


def run(asked):
    """Do what is asked; raise what is wrong."""
    command, *rest = asked.words
    if command == "proof" and len(rest) == 1:
        verify_proof(rest[0], asked.keys, asked.leaf, asked.hash)
    elif command == "statement" and len(rest) == 1:
        verify_statement(rest[0], asked.keys)
    elif command == "board" and len(rest) == 3 and _DECIMAL.fullmatch(rest[0]):
        verify_board(int(rest[0]), rest[1], rest[2], asked.keys)
    elif command == "since" and len(rest) == 2:
        verify(rest[1], asked.keys, asked.all_signatures, old=rest[0])
    elif not rest:
        verify(command, asked.keys, asked.all_signatures)
    else:
        raise Unusable("usage")


def main(words=None):
    """Return the exit status: 0 sound, 1 broken, 2 could not be checked."""
    global LANGUAGE
    asked = parse(words)
    gc.disable()  # Nothing here makes cycles, and looking for them takes a tenth of the time.
    spoken = asked.lang or os.environ.get("LC_ALL") or os.environ.get("LANG") or "zh"
    LANGUAGE = "en" if spoken.startswith(("en", "C", "POSIX")) else "zh"
    try:
        run(asked)
    except Unusable as unusable:
        print(say("unusable"), unusable)
        return 2
    except Broken as broken:
        print(say("broken"), broken)
        return 1
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        # A file that was made to mislead may hold anything anywhere; what is not understood is not sound.
        print(say("broken"), say("strange", what=repr(error)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
