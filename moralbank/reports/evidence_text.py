"""What stands in the README of an export, for somebody who has only the file."""

from __future__ import annotations

from moralbank import clock
from moralbank.ledger import Book

_README = """\
{name}（{code}）账簿导出，{at}
=====================================================================

这是整本账：每一笔的原样（叶子）、每一个签过名的检查点，以及核对它们所需的一切。
没有姓名、电话；{private_zh}
核对它不需要银行，不需要联网，只要 Python 3.9 以上：

    python3 verify_export.py 这个文件.zip
    python3 verify_export.py 这个文件.zip --key 您另外得到的公钥文件
    python3 verify_export.py since 上次的文件.zip 这个文件.zip

程序就在压缩包里（verify_export.py，请先取出）。它只有一个文件，不依赖任何东西，您可以通读，
也可以换用别处得到的同一份。它最后说“没有发现问题”，或者指出第一处不对的地方。

  book.json             账簿的编号、两个日志的大小和树根
  policy.txt            谁的签名算数：日志的公钥、见证人、要几家（C2SP tlog-policy）
  ledger/leaves.jsonl   账簿日志：每行一片叶子，与当初存下的字节一样（docs/LEDGER.md）
  ledger/checkpoints.jsonl、keys.txt   签过名的检查点（C2SP signed-note）和日志的公钥
  access/…              行为日志：谁登录、查看、复核、导出、改了设置
  unsealed.jsonl        已记账、还没有进树的分录（通常没有，或只有最后几秒的）
  accounts.txt balances.txt keys.txt   账户及种类，余额表，幂等键
  statements.txt        每户每月：期初、存入、支出、期末、首行、末行
  settlements.txt       每个商家每月的结算
  rules.txt closed_days.txt            积分规则的各版本，已关账的日子
  reversed.txt          后来被冲正的分录
  offsets.txt           冲正时已经花掉的积分：所缺、已从后来的存入抵扣、满一年放弃
  notices.txt           到期提醒：谁的哪一天到期的积分，从哪天起可以读到
  differences.txt       数据库的表格与叶子不符之处（应当是空的）
  openings.txt、access/openings.txt    私密部分、查看事由和它们的盐（只在要求时才有）
  manifest.json         以上每个文件的大小和 SHA-256

Export of the book {name} ({code}), {at}
=====================================================================

This is the whole book: every entry as it was stored (its leaf), every signed checkpoint, and all that is needed to
check them. It holds no names and no phone numbers; {private_en}
Checking it needs no bank and no network, only Python 3.9 or newer:

    python3 verify_export.py THIS-FILE.zip --lang en
    python3 verify_export.py THIS-FILE.zip --lang en --key KEYS-THAT-YOU-GOT-ELSEWHERE
    python3 verify_export.py since LAST-TIMES-FILE.zip THIS-FILE.zip --lang en

The program is in this archive (verify_export.py; take it out first). It is one file that depends on nothing; read it,
or use the same file from elsewhere. In the end it says that all is sound, or names the first thing that is not.

  book.json             the book's number, size and root of both logs
  policy.txt            whose signatures count: the logs' keys, the witnesses, how many (C2SP tlog-policy)
  ledger/leaves.jsonl   the book's log: a leaf a line, with the octets that were stored (docs/LEDGER.md)
  ledger/checkpoints.jsonl, keys.txt   signed checkpoints (C2SP signed-note) and the log's own keys
  access/…              the log of deeds: who logged in, looked, approved, exported, changed a setting
  unsealed.jsonl        entries that are posted and not in the tree yet (mostly none, or those of the last seconds)
  accounts.txt balances.txt keys.txt   accounts with their kinds, balance rows, idempotency keys
  statements.txt        for each account and month: opening, in, out, closing, first and last line
  settlements.txt       what each merchant's months were settled with
  rules.txt closed_days.txt            the versions of the earning rules, the days that are closed
  reversed.txt          entries that were reversed later
  offsets.txt           points that were spent before a reversal: missing, offset from later awards, let go after a year
  notices.txt           notices of expiry: whose points of which day, and since when it could be read
  differences.txt       where the tables of the database say otherwise than a leaf (it should be empty)
  openings.txt access/openings.txt     private parts and reasons of deeds with their salts (only when asked for)
  manifest.json         size and SHA-256 of each of these
"""


def readme(book: Book, with_openings: bool) -> str:
    """Return the README of an export of this book made now."""
    return _README.format(
        name=book.name,
        code=book.code,
        at=f"{clock.local(clock.now()):%Y-%m-%d %H:%M:%S}",
        private_zh="私密部分（事由、地点、证据）随附，请妥善保管。"
        if with_openings
        else "私密部分（事由、地点、证据）没有随附。",
        private_en="the private parts (memo, place, evidence) are enclosed: keep them safe."
        if with_openings
        else "the private parts (memo, place, evidence) are not enclosed.",
    )
