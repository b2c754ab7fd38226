"""Refusals of the demonstration."""

from __future__ import annotations

from moralbank.errors import N_, Refused


class BankInUse(Refused):
    code = "bank-in-use"
    title = N_("银行里已有居民")
    sentence = N_("演示街区只能装进没有居民的银行。请另选一个空的数据库。")
