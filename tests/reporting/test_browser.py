"""The report in a browser: it loads without a network, and everything on it works."""

from __future__ import annotations

import pytest
from browser import Browser, find_browser
from models import compiled, residual
from test_report import hostile_model

pytestmark = pytest.mark.skipif(find_browser() is None, reason="needs Chromium (Debian: chromium)")

DESKTOP, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 844, "phone": True}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(compiled(residual(blocks=9)).report(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def desktop():
    with Browser(**DESKTOP) as browser:
        yield browser


@pytest.fixture
def opened(desktop, page):
    desktop.open(page)
    return desktop


def _column(browser, number):
    rows = "document.querySelectorAll('#layer-table tbody tr')"
    return browser.run(f"Array.from({rows}).map(r => r.cells[{number}].textContent.trim())")


def _press(browser, selector):
    browser.run(f"document.querySelector({selector!r}).click()")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_loads_with_no_request_and_no_complaint(page, size, dark):
    with Browser(**size, dark=dark) as browser:
        browser.open(page)
        assert browser.requests == [page.resolve().as_uri()]
        assert browser.problems == []
        assert browser.run("document.documentElement.scrollWidth") == size["width"]
        paper = browser.run("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(20, 23, 28)" if dark else "rgb(255, 255, 255)")


def test_hostile_names_do_nothing(tmp_path):
    path = tmp_path / "report.html"
    path.write_text(compiled(hostile_model()).report(), encoding="utf-8")
    with Browser(**PHONE) as browser:
        browser.open(path)
        browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert browser.requests == [path.resolve().as_uri()]
        assert browser.problems == []
        assert browser.run("document.scripts.length") == 1
        assert browser.run("document.documentElement.scrollWidth") == 390


def test_tables_sort(opened):
    first = _column(opened, 0)
    assert first == [str(n) for n in range(1, 21)]
    _press(opened, "#layer-table th:nth-child(4) button")
    header = "document.querySelector('#layer-table th:nth-child(4)').getAttribute('aria-sort')"
    assert opened.run(header) == "descending"
    values = "Array.from(document.querySelectorAll('#layer-table tbody tr')).map(r => +r.cells[3].dataset.v)"
    found = opened.run(values)
    assert found == sorted(found, reverse=True) and found[0] == 2304 and found[-1] == 160
    _press(opened, "#layer-table th:nth-child(4) button")
    assert opened.run(header) == "ascending" and opened.run(values) == sorted(found)
    _press(opened, "#layer-table th:nth-child(2) button")
    names = _column(opened, 1)
    assert names == sorted(names)
    assert opened.run(header) == "none"
    _press(opened, "#layer-table th:nth-child(1) button")
    assert _column(opened, 0) == first


def test_sorting_works_by_keyboard(opened):
    opened.run("document.querySelector('#layer-table th:nth-child(4) button').focus()")
    opened.key("Enter")
    assert opened.run("document.querySelector('#layer-table th:nth-child(4)').ariaSort") == "descending"


def test_search_leaves_what_it_finds(opened):
    opened.key("/")
    assert opened.run("document.activeElement.id") == "search"
    opened.type("STAGE1_unit3 conv0")
    visible = "Array.from(document.querySelectorAll({0!r})).filter(e => !e.hidden).length"
    assert opened.run(visible.format("#layer-table tbody tr")) == 1
    assert opened.run(visible.format("details.group")) == 2
    assert opened.run("document.querySelectorAll('.box.hit').length") == 1
    assert opened.run("document.getElementById('found').textContent") == "1 layer, 2 groups, 1 box, 1 hunk"
    opened.key("Escape")
    assert opened.run(visible.format("#layer-table tbody tr")) == 20
    assert opened.run("document.getElementById('found').textContent") == ""
    opened.key("/")
    opened.type("no such name")
    assert opened.run("document.getElementById('found').textContent") == "nothing found"


def test_a_link_opens_what_it_leads_to(opened):
    _press(opened, "#layer-3 a.chip")
    opened.run("new Promise(done => setTimeout(done, 50))")
    target = opened.run("location.hash.slice(1)")
    assert target.startswith("g")
    assert opened.run(f"document.getElementById({target!r}).open") is True
    box = "document.querySelector('#network .scroll a.box')"
    opened.run(f"{box}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
    opened.run("new Promise(done => setTimeout(done, 50))")
    assert opened.run("location.hash") == "#stage-1"
    assert opened.run("document.getElementById('stage-1').open") is True


def test_an_address_with_a_place_opens_it(desktop, page):
    desktop.open(page, "#g4")
    assert desktop.run("document.getElementById('g4').open") is True
    top = desktop.run("document.getElementById('g4').getBoundingClientRect().top")
    assert 0 <= top <= 900


def test_parts_open_and_close(opened):
    count = "document.querySelectorAll('details.group[open]').length"
    assert opened.run(count) == 0
    _press(opened, "[data-open='details.group']")
    assert opened.run(count) == 10
    _press(opened, "[data-close='details.group']")
    assert opened.run(count) == 0
    opened.run("document.querySelector('#g2 > summary').focus()")
    opened.key("Enter")
    assert opened.run("document.getElementById('g2').open") is True


def test_a_group_is_shown_in_the_network(opened):
    _press(opened, "[data-pin='1']")
    assert opened.run("document.documentElement.classList.contains('marking')") is True
    lit = opened.run("document.querySelectorAll('.stage .box.lit').length")
    assert lit == opened.run("document.querySelectorAll('.stage .box[data-g~=\"1\"]').length") > 0
    assert opened.run("document.querySelectorAll('details.stage[open]').length") == 1
    opened.key("Escape")
    assert opened.run("document.querySelectorAll('.lit').length") == 0


def test_keys(opened):
    opened.key("t")
    assert opened.run("document.documentElement.dataset.theme") == "dark"
    opened.key("t")
    assert opened.run("document.documentElement.dataset.theme") == "light"
    opened.key("n")
    assert opened.run("location.hash") == "#layers"
    opened.key("?")
    assert opened.run("document.getElementById('help').open") is True
    opened.key("t")
    assert opened.run("document.documentElement.dataset.theme") == "light"
    opened.key("Escape")
    assert opened.run("document.getElementById('help').open") is False


def test_the_chart_changes(opened):
    shown = "getComputedStyle(document.querySelector('.chart-macs')).display"
    assert opened.run(shown) == "none"
    _press(opened, "#chart-macs")
    assert opened.run(shown) == "block"


def test_text_stays_in_its_box(opened):
    opened.run("document.querySelectorAll('details.stage').forEach(d => d.open = true)")
    outside = opened.run(
        """Array.from(document.querySelectorAll('.stage .box')).flatMap(box => {
             const edge = box.querySelector('.b');
             if (!edge) { return []; }
             const frame = edge.getBoundingClientRect();
             const texts = Array.from(box.querySelectorAll('text')).map(t => t.getBoundingClientRect());
             const out = texts.filter(r => r.right > frame.right + 1 || r.left < frame.left - 1);
             const [name, label] = [box.querySelector('.t1'), box.querySelector('text.t2.end[y="15"]')];
             const met = label && name.getBoundingClientRect().right > label.getBoundingClientRect().left;
             return out.length || met ? [box.textContent] : [];
           })"""
    )
    assert outside == []


def test_contrast_of_texts(page):
    # Relative luminance and contrast as in the Web Content Accessibility Guidelines 2.1.
    script = """(() => {
      const part = x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
      const light = color => {
        const [r, g, b] = color.map(x => part(x / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const root = getComputedStyle(document.documentElement);
      const value = name => {
        const probe = document.body.appendChild(document.createElement('span'));
        probe.style.color = root.getPropertyValue(name);
        const color = getComputedStyle(probe).color.match(/[0-9.]+/g).slice(0, 3).map(Number);
        probe.remove();
        return light(color);
      };
      const ratio = (a, b) => {
        const [x, y] = [value(a), value(b)];
        return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
      };
      const texts = ['--ink', '--quiet', '--accent', '--warn', '--key'].map(n => [n, ratio(n, '--raised')]);
      const hues = [0, 1, 2, 3, 4, 5, 6, 7].map(n => ['--h' + n, ratio('--h' + n, '--paper')]);
      return [texts.filter(x => x[1] < 4.5), hues.filter(x => x[1] < 3)];
    })()"""
    for dark in (False, True):
        with Browser(**DESKTOP, dark=dark) as browser:
            browser.open(page)
            assert browser.run(script) == [[], []]


def test_print_opens_what_is_folded(opened):
    opened.run("window.dispatchEvent(new Event('beforeprint'))")
    assert (
        opened.run("document.querySelectorAll('details.group:not([open]), details.stage:not([open])').length")
        == 0
    )
    opened.run("window.dispatchEvent(new Event('afterprint'))")
    assert opened.run("document.querySelectorAll('details.group[open]').length") == 0
    pdf = opened.call("Page.printToPDF", printBackground=True)["data"]
    assert pdf.startswith("JVBERi")  # %PDF- in base64


def test_without_scripts_everything_can_be_read(page):
    with Browser(**DESKTOP) as browser:
        browser.call("Emulation.setScriptExecutionDisabled", value=True)
        browser.open(page)
        tree = browser.call("Accessibility.getFullAXTree")["nodes"]
        names = {node.get("name", {}).get("value") for node in tree}
        assert {"Summary", "Layers", "Groups", "Network", "Changes", "Reproduce"} <= names
