"""The demo's report, as a reader's browser shows it."""

from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from selenium import webdriver
from selenium.webdriver.common.by import By

from headrace.demo.report import write_report
from headrace.demo.timeline import show_tables

Any_ = dict[str, Any]


def test_a_browser_shows_every_part_of_the_story(
    summary: Any_, declaration: Any_, tmp_path: Path, browser: webdriver.Chrome
) -> None:
    """Figures, two plots, months, versions, trace, audit and checks are on one page without an error."""
    browser.get(write_report(summary, declaration, tmp_path / "report.html").as_uri())

    assert "The life of flights-delay" in browser.title + browser.find_element(By.TAG_NAME, "h1").text
    assert "57,231" in browser.find_element(By.ID, "figures").text
    for section in ("quality", "drift"):
        drawing = browser.find_element(By.CSS_SELECTOR, f"#{section} svg")
        assert drawing.size["width"] > 600
        assert drawing.size["height"] > 60
    assert "0.674 against 0.627" in browser.find_element(By.ID, "versions").text
    assert [row.text.split()[0] for row in browser.find_elements(By.CSS_SELECTOR, "#months tbody tr")] == [
        "2013-03",
        "2013-04",
    ]
    assert "key:admin" in browser.find_element(By.ID, "trace").text
    assert "Whole and untampered" in browser.find_element(By.ID, "audit").text
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_the_page_fits_its_window(summary: Any_, declaration: Any_, tmp_path: Path, browser: webdriver.Chrome) -> None:
    """Nothing makes the page itself scroll sideways."""
    browser.get(write_report(summary, declaration, tmp_path / "report.html").as_uri())

    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


def test_text_from_outside_cannot_become_markup(summary: Any_, declaration: Any_, tmp_path: Path) -> None:
    """A purpose or a reason is text, whatever it holds."""
    summary["checks"][0]["seen"] = "<script>alert(1)</script>"

    page = write_report(summary, declaration, tmp_path / "report.html").read_text()

    assert "<script>" not in page
    assert "Warn travellers &lt;early&gt;." in page


def test_two_versions_in_one_month_are_two_rows_and_one_place_of_the_plot(
    summary: Any_, declaration: Any_, tmp_path: Path, browser: webdriver.Chrome
) -> None:
    """Each figure stands beside the version that it is of."""
    summary["months"].append(summary["months"][-1] | {"version": 2, "metrics": {"roc_auc": 0.74, "brier": 0.1}})

    browser.get(write_report(summary, declaration, tmp_path / "report.html").as_uri())

    rows = [row.text.split()[:2] for row in browser.find_elements(By.CSS_SELECTOR, "#months tbody tr")]
    assert rows == [["2013-03", "1"], ["2013-04", "1"], ["2013-04", "2"]]
    drawn = [text.text for text in browser.find_elements(By.CSS_SELECTOR, "#quality svg text")]
    assert (drawn.count("2013-04"), drawn.count("v1"), drawn.count("v2")) == (1, 2, 1)


def test_the_tables_cut_no_name(summary: Any_) -> None:
    """A column's name is told whole, over two lines where the terminal is narrow."""
    summary["months"][-1]["drifted"] = ["headrace:prediction", "a_column_with_a_long_name"]
    out = StringIO()

    show_tables(Console(file=out, width=80), summary)

    assert "…" not in out.getvalue()
    assert "2013-04" in out.getvalue()


def test_a_failed_check_is_plain_to_see(
    summary: Any_, declaration: Any_, tmp_path: Path, browser: webdriver.Chrome
) -> None:
    """Nobody takes a broken story for a whole one."""
    summary["held"] = summary["checks"][0]["held"] = False

    browser.get(write_report(summary, declaration, tmp_path / "report.html").as_uri())

    assert "Not every step held." in browser.find_element(By.CLASS_NAME, "lead").text
    assert browser.find_element(By.CSS_SELECTOR, "#checks td.no").text == "FAILED"


def test_a_story_without_months_still_makes_a_page(summary: Any_, declaration: Any_, tmp_path: Path) -> None:
    """When the story broke early, the report says so and does not break itself."""
    summary |= {"months": [], "versions": [], "promotions": [], "trace": {}, "audit": {}, "held": False}

    page = write_report(summary, declaration, tmp_path / "report.html").read_text()

    assert "NOT whole" in page
