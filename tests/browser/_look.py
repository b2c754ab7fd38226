"""What a person with a ruler sees on a page: sideways scroll, headings, sizes of letters and of what is pressed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
#: What depends on colours, and on sizes: asked again where only these change.
OF_COLOURS = ("color-contrast", "link-in-text-block")
OF_SIZES = (*OF_COLOURS, "target-size", "scrollable-region-focusable")
ELDER_LETTER_PX, ELDER_TARGET_PX = 18, 60

_SHAPE = """() => ({
  headings: document.querySelectorAll("h1").length,
  lang: document.documentElement.lang,
  sideways: Math.max(0, document.documentElement.scrollWidth - innerWidth),
})"""
_VISIBLE = """const isSeen = (e) => e.checkVisibility({visibilityProperty: true})
  && !e.closest(".visually-hidden, .skip, noscript, template, thead");"""
_SMALL_LETTERS = (
    "(least) => {"
    + _VISIBLE
    + """
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = new Set();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !isSeen(element) || element.closest("svg, kbd, script")) continue;
    const size = parseFloat(getComputedStyle(element).fontSize);
    if (size < least - 0.1) found.add(`${size} px: ${node.textContent.trim().slice(0, 20)}`);
  }
  return [...found];
}"""
)
_SMALL_TARGETS = (
    "(least) => {"
    + _VISIBLE
    + """
  const fields = "select, textarea, input:not([type=hidden], [type=checkbox], [type=radio])";
  const main = ".button, .nav a, .choice, " + fields;
  return [...document.querySelectorAll(main)].filter(isSeen)
    .map((e) => [Math.round(e.getBoundingClientRect().height), (e.innerText || e.name || e.className).slice(0, 20)])
    .filter(([height]) => height < least).map(([height, text]) => `${height} px: ${text}`);
}"""
)
_CHINESE = (
    "() => {"
    + _VISIBLE
    + """
  const seen = [document.title];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!element.closest("script, [lang^=zh]:not(html)")) seen.push(node.textContent);
  }
  for (const name of ["aria-label", "placeholder", "title", "alt", "data-unknown"])
    for (const element of document.querySelectorAll(`[${name}]`)) seen.push(element.getAttribute(name));
  return seen.map((text) => text.trim()).filter((text) => /[\\u4e00-\\u9fff]/.test(text));
}"""
)

_MISFITS = (
    "() => {"
    + _VISIBLE
    + """
  const found = [];
  for (const button of [...document.querySelectorAll(".button, .nav a")].filter(isSeen)) {
    const words = document.createRange(), size = parseFloat(getComputedStyle(button).fontSize);
    words.selectNodeContents(button);
    const box = words.getBoundingClientRect(), room = button.getBoundingClientRect();
    if (box.height > 1.9 * size) found.push(`two lines: ${button.innerText}`);
    if (box.left < room.left || box.right > room.right) found.push(`over its edge: ${button.innerText}`);
  }
  for (const table of document.querySelectorAll(".table-wrap"))
    if (table.scrollWidth > table.clientWidth) found.push(`table wider by ${table.scrollWidth - table.clientWidth} px`);
  return found;
}"""
)

_axe = Axe()
_IS_THERE = "typeof window.axe === 'object'"


@contextmanager
def wearing(page: Any, name: str, value: str) -> Iterator[None]:
    """Give the page for a while what a reader's choice puts on it: data-theme or data-elder."""
    page.evaluate("([name, value]) => document.documentElement.setAttribute(name, value)", [name, value])
    yield
    page.evaluate("name => document.documentElement.removeAttribute(name)", name)


def bring_axe(context: Any) -> None:
    """Have axe in every page of a context: half a megabyte, which is sent to the browser once."""
    context.add_init_script(_axe.axe_script)


def findings(page: Any, *rules: str, without: Sequence[str] = ()) -> list[str]:
    """Return what axe has against the page: rule and place. Only these rules, if any are named.

    The window is made as high as the page: the tabs of a phone cover nothing that a thumb can't scroll to.
    """
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": max(page.viewport_size["height"], height)})
    only = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": WCAG}
    off = {rule: {"enabled": False} for rule in without}
    options = {"runOnly": only, "rules": off, "resultTypes": ["violations"]}
    if not page.evaluate(_IS_THERE):
        page.evaluate(_axe.axe_script)
    violations = page.evaluate("options => axe.run(options).then(found => found.violations)", options)
    return [f"{each['id']}: {node['html'][:160]}" for each in violations for node in each["nodes"]]


def shape(page: Any) -> dict[str, Any]:
    """Return how many first headings the page has, its language, and by how much it scrolls sideways."""
    found: dict[str, Any] = page.evaluate(_SHAPE)
    return found


def too_small_for_elders(page: Any) -> list[str]:
    letters: list[str] = page.evaluate(_SMALL_LETTERS, ELDER_LETTER_PX)
    targets: list[str] = page.evaluate(_SMALL_TARGETS, ELDER_TARGET_PX)
    return letters + targets


def chinese(page: Any) -> list[str]:
    """Return the texts with Chinese characters, but for what says itself that it is Chinese."""
    found: list[str] = page.evaluate(_CHINESE)
    return found


def misfits(page: Any) -> list[str]:
    """Return the buttons whose words take two lines or stick out, and the tables that scroll sideways."""
    found: list[str] = page.evaluate(_MISFITS)
    return found


def enlarge_letters(page: Any, factor: float) -> None:
    """Make all letters larger, as a reader's own setting does."""
    page.evaluate("factor => { document.documentElement.style.fontSize = `${16 * factor}px`; }", factor)
