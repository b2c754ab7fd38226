"""Paper: the same octets each time, every character shown or named, and no paper rather than boxes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pypdfium2
import pytest
import segno

from moralbank import papers
from moralbank.papers import fonts, typesetting
from tests.papers import _paper

MADE_AT = datetime(2026, 4, 1, 8, tzinfo=UTC)
#: In the order: rare but in the fonts, outside them, decomposed, joined, a picture, right to left, control, private.
ODD = ("\U0002b5af", "\U00020bb7", "e\u0301", "葛\U000e0100", "😀", "ة", "\x07", "\ue000")


def _sheet(*names: str) -> dict:
    documents = [{"title": "对账单", "facts": [["姓名", name]], "foot": "脚注"} for name in names]
    return {"title": "对账单", "lang": "zh", "pages": "第 {n} 页，共 {m} 页", "documents": documents}


def test_the_same_data_and_time_give_the_same_octets() -> None:
    assert papers.pdf("sheet", _sheet("张建三"), MADE_AT) == papers.pdf("sheet", _sheet("张建三"), MADE_AT)


def test_paper_is_made_for_keeping() -> None:
    made = papers.pdf("sheet", _sheet("张建三"), MADE_AT)

    assert b"<pdfaid:part>2</pdfaid:part>" in made.replace(b" ", b"").replace(b"\n", b"")


def test_every_character_of_a_name_is_shown_or_named() -> None:
    text = _paper.text_of(papers.pdf("sheet", _sheet("".join(f"〈{odd}〉" for odd in ODD)), MADE_AT))

    assert "〈\U0002b5af〉〈〔U+20BB7〕〉〈é〉〈葛〉〈〔U+1F600〕〉〈〔U+0629〕〉〈〔U+0007〕〉〈〔U+E000〕〉" in text


def test_a_name_that_looks_like_markup_is_only_text() -> None:
    text = _paper.text_of(papers.pdf("sheet", _sheet('#panic("x") *b* $y$ \\ @ref'), MADE_AT))

    assert '#panic("x")*b*$y$\\@ref' in text


def test_a_name_of_fifty_characters_stays_on_the_page() -> None:
    name = "阿卜杜热合曼·" * 7 + "末"
    [page] = _paper.pages_of(papers.pdf("sheet", _sheet(name), MADE_AT), 50)
    right_margin = page.convert("L").crop((page.width - 20, 0, page.width, page.height))

    assert right_margin.getextrema() == (255, 255)
    assert name in _paper.text_of(papers.pdf("sheet", _sheet(name), MADE_AT))


def test_a_long_name_beside_the_title_wraps_and_the_title_does_not() -> None:
    data = _sheet("张建三")
    data["documents"][0] |= {"title": "2026年3月对账单", "aside": "阿卜杜热合曼·" * 7 + "末"}
    document = pypdfium2.PdfDocument(papers.pdf("sheet", data, MADE_AT))

    assert "2026 年 3 月对账单" in document[0].get_textpage().get_text_range()


def test_each_document_of_a_file_has_its_own_pages() -> None:
    text = _paper.text_of(papers.pdf("sheet", _sheet("张建三", "王小妹"), MADE_AT))

    assert text.count("第1页，共1页") == 2


def test_a_code_on_paper_is_read_from_its_picture() -> None:
    url = "https://bank.example/v/" + "A" * 132
    data = _sheet("张建三")
    data["documents"][0]["code"] = segno.make(url, error="m", boost_error=False).svg_inline(border=4, omitsize=True)

    [page] = papers.pictures("sheet", data)

    assert _paper.codes_of(page) == [url]


def test_threads_make_paper_at_once() -> None:
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: papers.pdf("sheet", _sheet("张建三"), MADE_AT), range(9)))

    assert len(set(made)) == 1


def test_without_a_chinese_font_there_is_no_paper_rather_than_boxes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fonts, "directories", lambda: [tmp_path])

    assert not papers.is_available()
    with pytest.raises(papers.PaperUnavailable):
        papers.pdf("sheet", _sheet("张建三"), MADE_AT)


def test_without_typst_there_is_no_paper_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typesetting, "find_spec", lambda name: None)

    assert not papers.is_available()
    with pytest.raises(papers.PaperUnavailable):
        papers.pdf("sheet", _sheet("张建三"), MADE_AT)


def test_fonts_of_the_setting_serve_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MORALBANK_FONT_DIR", str(tmp_path))

    assert fonts.directories()[0] == tmp_path
    assert len(fonts.directories()) == 2
