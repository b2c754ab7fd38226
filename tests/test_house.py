"""The rules of the house that no other tool holds: words, sizes, migrations, refusals."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from configparser import ConfigParser
from importlib import import_module
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from moralbank import db as moralbank_db
from moralbank.db import Database
from moralbank.schema import MIGRATIONS
from tests import _error_table

ROOT = Path(__file__).resolve().parent.parent
GLOSSARY = ROOT / "docs" / "GLOSSARY.md"
#: They list the banned words themselves.
_SAY_THEM = (GLOSSARY, Path(__file__).resolve())
_BANNED_ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
_READ = (".py", ".html", ".js", ".css", ".md", ".po", ".csv", ".toml", ".cfg")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_TEXTS = ("moralbank", "migrations", "scripts", "docs", "tests")
_PLACES = ("README.md", "README.zh-CN.md", "CHANGELOG.md", "setup.cfg")
#: What services and reads must not know: they are called from pages, the API, commands and jobs alike.
_WEB = {
    "flask",
    "flask_login",
    "flask_smorest",
    "flask_wtf",
    "marshmallow",
    "apscheduler",
    "qrcode",
    "segno",
    "werkzeug",
}
_FILE_LINES_MAX, _FUNCTION_LINES_MAX = 500, 70
#: Strangers take it away and run it alone: that it is one file is its purpose, whatever it comes to.
_ONE_FILE = {"scripts/verify_export.py": 1_760}


def _files() -> Iterator[Path]:
    found = [ROOT / name for name in _PLACES if (ROOT / name).is_file()]
    for folder in _TEXTS:
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix in _READ]
    # Data come from elsewhere and speak as they do.
    yield from (path for path in found if path not in _SAY_THEM and ROOT / "tests" / "data" not in path.parents)


def _sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _banned() -> list[str]:
    text = GLOSSARY.read_text(encoding="utf-8")
    return _BANNED_ROW.findall(text[text.index("## Banned words") :])


def _pattern(word: str) -> re.Pattern[str]:
    """Match a word on its own or as a part of a snake_case or CamelCase name, its plural too."""
    if _HAN.search(word):
        return re.compile(re.escape(word))
    capital = word[0].upper() + word[1:]
    return re.compile(rf"(?<![A-Za-z])(?:{word}|{word.upper()})s?(?![a-z])|(?<![A-Z]){capital}s?(?![a-z])")


def test_nobody_uses_a_banned_word():
    banned = {word: _pattern(word) for word in _banned()}
    assert len(banned) > 10
    found = [
        f"{path.relative_to(ROOT)}:{number}: {word}"
        for path in _files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for word, pattern in banned.items()
        if pattern.search(line)
    ]
    assert found == []


def test_a_banned_word_is_found_within_a_name_and_not_within_a_word():
    pattern = _pattern("coin")
    for text in ("coin", "coins", "give_coins(", "CoinBox", "MAX_COINS", "newCoin"):
        assert pattern.search(text), text
    for text in ("coincide", "Coinbase", "recoin"):
        assert not pattern.search(text), text


def test_files_and_functions_stay_short():
    long_files, long_functions = [], []
    for path in _sources("moralbank", "migrations", "scripts", "tests"):
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > _ONE_FILE.get(str(path.relative_to(ROOT)), _FILE_LINES_MAX):
            long_files.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            # A migration is a list of tables: cutting it up makes nothing clearer.
            if isinstance(node, ast.FunctionDef) and path.parent.name != "versions":
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > _FUNCTION_LINES_MAX:
                    long_functions.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines")
    assert long_files == []
    assert long_functions == []


def test_no_attic_of_odds_and_ends():
    attics = {"utils.py", "helpers.py", "common.py", "utils", "helpers", "common"}
    assert [path for path in (ROOT / "moralbank").rglob("*") if path.name in attics] == []


def test_every_module_says_what_it_is():
    silent = [
        str(path.relative_to(ROOT))
        for path in _sources("moralbank", "migrations", "scripts")
        if path.stat().st_size and ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None
    ]
    assert silent == []


def test_services_and_reads_import_no_web():
    guilty = []
    for path in _sources("moralbank"):
        is_core = path.name in ("service.py", "queries.py", "models.py") or path.parent.name in ("ledger", "earning")
        if is_core and path.name not in ("views.py", "api.py", "schemas.py"):
            guilty += [f"{path.relative_to(ROOT)}: {name}" for name in _imports(path) if name.split(".")[0] in _WEB]
    assert guilty == []


def test_no_view_reads_a_number_that_no_database_could_look_for():
    """`type=int` takes digits of any script and any length; web.paging.row_id takes those of a row's number."""
    unbounded = re.compile(r"\b(?:args|values|form)\.get(?:list)?\([^)]*type=int\b")
    guilty = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in _sources("moralbank")
        for match in unbounded.finditer(path.read_text(encoding="utf-8"))
    ]
    assert guilty == []


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


#: What pages and the API may know: who asks and where, the books' cores, and how a page is set.
_KNOWN_TO_WEB = {"access", "branches", "ledger", "transparency", "papers", "web"}
#: Cores and small rooms whose files are none of the layers that a package has.
_WITHOUT_LAYERS = {"ledger", "papers", "periodic", "demo", "web"}


def test_every_package_stands_in_every_import_contract():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    packages = {path.parent.name for path in (ROOT / "moralbank").glob("*/*.py")}
    with_tables = {path.parent.name for path in (ROOT / "moralbank").glob("*/models.py")}
    wanted = {
        ("packages", "layers"): packages - {"web"},
        ("inside", "containers"): packages - _WITHOUT_LAYERS,
        ("ground", "forbidden_modules"): packages - _KNOWN_TO_WEB,
        ("tables", "ignore_imports"): with_tables,
    }
    for (contract, names), those in wanted.items():
        said = setup[f"importlinter:contract:{contract}"][names]
        missing = those - set(re.findall(r"moralbank\.(\w+)", said))
        assert missing == set(), f"{contract} in setup.cfg says nothing of these"


def _scripts() -> ScriptDirectory:
    alembic = AlembicConfig()
    alembic.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(alembic)


def test_migrations_are_numbered_in_a_row_and_end_in_one_head():
    scripts = _scripts()
    assert len(scripts.get_heads()) == 1
    revisions = list(reversed(list(scripts.walk_revisions())))
    numbers = [int(Path(revision.path).name[:4]) for revision in revisions]
    assert numbers == list(range(1, len(numbers) + 1))
    names = {path.name for path in (MIGRATIONS / "versions").glob("*.py")}
    assert names == {Path(revision.path).name for revision in revisions}
    assert all(re.fullmatch(r"\d{4}_[a-z0-9_]+\.py", name) for name in names)


def test_the_migrated_schema_is_the_one_the_code_describes(database: Database):
    for path in sorted((ROOT / "moralbank").glob("*/models.py")):
        import_module(f"moralbank.{path.parent.name}.models")
    import_module("moralbank.slots")
    import_module("moralbank.web.idempotency")
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, moralbank_db.metadata)
    assert differences == []


def test_every_refusal_has_a_code_of_its_own_and_says_in_chinese_what_to_do():
    refusals = _error_table.refusals()
    assert len(refusals) > 100
    assert [code for code, times in Counter(kind.code for kind in refusals).items() if times > 1] == []
    for kind in refusals:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", kind.code), kind
        assert _HAN.search(kind.title), kind
        assert _HAN.search(kind.sentence), kind
        # A sentence ends as one, or with the value it is about.
        assert kind.sentence.endswith(("。", "？", "}")), kind


def test_every_refusal_is_documented():
    assert _error_table.PATH.read_text(encoding="utf-8") == _error_table.table(), "run: python -m tests._error_table"


@pytest.mark.parametrize("kind", _error_table.refusals(), ids=lambda kind: kind.code)
def test_a_refusals_sentence_names_its_fields_in_plain_braces(kind: type[_error_table.MoralBankError]):
    assert re.sub(r"\{[a-z_]+\}", "", kind.sentence).count("{") == 0
