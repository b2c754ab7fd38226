"""Why there is no sheet for a day."""

from __future__ import annotations

from moralbank.errors import N_, NotFound


class UnknownBoard(NotFound):
    code = "board-unknown-book"
    title = N_("没有这本账")
    sentence = N_("没有编号为 {book} 的账簿。请从公示栏目录里选。")


class NoSheet(NotFound):
    code = "board-no-sheet"
    title = N_("这一天还没有公示单")
    sentence = N_("{day} 还没有公示单：一天过完，凌晨一点以后封账，封好才有。请看更早的日子。")
