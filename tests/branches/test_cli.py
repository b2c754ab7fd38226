"""The command that loads branches from a file."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from click.testing import CliRunner

from moralbank.branches.cli import branches


def test_the_command_says_what_the_file_came_to(database_url: str, tmp_path: Path) -> None:
    text = resources.files("moralbank").joinpath("demo/community/branches.csv").read_text("utf-8")
    file = tmp_path / "branches.csv"
    file.write_text(text, encoding="utf-8-sig")
    run = [CliRunner().invoke(branches, ["load", str(file)], env={"DATABASE_URL": database_url}) for _ in range(2)]
    assert [result.output for result in run] == [
        "9 opened, 0 edited, 0 unchanged\n",
        "0 opened, 0 edited, 9 unchanged\n",
    ]
