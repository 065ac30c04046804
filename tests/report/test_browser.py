"""The page in a real headless Chromium, from disk and without network."""

import csv

import pytest

from autrainer_ext.report import show

from .conftest import CLASSES, DEVICES, HOSTILE, wait_until, write_runs

pytestmark = pytest.mark.browser
VIEWS = ("triangle-figure", "recordings-table", "explanations-listen", "fidelity-figure")
VIEWS += ("adaptation-figure", "devices-figure", "latent-scores", "latent-map")
VIEWS += ("link-predictions", "link-explanations", "link-adaptation", "link-latent", "link-devices")


def names_of(tab):
    return tab.locator("#recordings-table button.file").all_inner_texts()


@pytest.mark.parametrize("width", [390, 820, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_drawn_and_nothing_is_wider_than_the_screen(visit, page, width, scheme):
    with visit(page, width=width, scheme=scheme) as tab:
        for view in VIEWS:
            assert tab.locator(f"#{view} *").count() > 0, view
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_names_from_data_are_text(visit, page):
    with visit(page, "#sample=test:0") as tab:
        assert tab.evaluate("window.pwned") is None
        assert tab.locator("#clip h2").inner_text() == HOSTILE
        assert CLASSES[0] in tab.locator("#recordings-table").inner_text()
        assert tab.locator("img[src=x]").count() == 0
        tab.locator("#triangle-controls").get_by_label(DEVICES[1]).check()
        assert tab.evaluate("window.pwned") is None


def test_slider_moves_the_points_and_the_address(visit, page):
    with visit(page) as tab:
        point = tab.locator("#triangle-figure .point").first
        before = point.get_attribute("transform")
        tab.locator("#epoch").focus()
        tab.keyboard.press("Home")
        assert tab.locator("#epoch-shown").inner_text() == "1"
        assert "epoch=1" in tab.url
        assert point.get_attribute("transform") != before


def test_focus_on_a_point_shows_its_confusion_matrix(visit, page):
    with visit(page) as tab:
        tab.locator("#triangle-figure .point").nth(1).focus()
        cells = tab.locator("#triangle-matrix td").all_inner_texts()
        assert sum(int(cell) for cell in cells if cell) == 60


def test_criteria_can_be_switched_off(visit, page):
    with visit(page) as tab:
        assert tab.locator("#triangle-figure .point").count() == 4
        tab.locator("#triangle-controls").get_by_label("Focal").uncheck()
        assert tab.locator("#triangle-figure .point").count() == 2


def test_table_sorts_filters_and_searches(visit, page):
    with visit(page) as tab:
        tab.locator('button[data-sort="difficulty"]').click()
        ranks = tab.locator("#recordings-table td:has(.meter)").all_inner_texts()
        assert [float(rank) for rank in ranks] == sorted(float(rank) for rank in ranks)
        assert tab.locator('th[aria-sort="ascending"]').inner_text().startswith("Difficulty")
        tab.get_by_label("Search file names").fill("test-1")
        assert all("test-1" in name for name in names_of(tab))
        assert tab.locator("#recordings-count").inner_text().startswith("11 of 75")
        tab.locator("#recordings-controls").get_by_label("Prediction").select_option("no")
        assert tab.locator("#recordings-table td.good").count() == 0


def test_playing_a_recording_moves_the_head_and_marks_it_everywhere(visit, page):
    with visit(page, "#find=test-0&part=") as tab:
        tab.get_by_label("Search file names").fill("test-5.wav")
        tab.locator("#recordings-table button.file").click()
        assert "sample=test:5" in tab.url
        wait_until(tab, "document.getElementById('clip-audio').currentTime > 0.1")
        wait_until(tab, "parseFloat(document.querySelector('#clip .head').style.left) > 10")
        assert tab.evaluate("document.getElementById('clip-audio').duration") == 0.5
        assert tab.locator("#recordings-table tr.chosen").count() == 1
        assert tab.locator("#latent-map .marked").count() == 1
        assert tab.locator("#devices-figure .marked").count() == 1
        assert tab.locator("#link-explanations .marked").count() == 1


def test_an_address_brings_the_choice_back(visit, page):
    with visit(page, "#sample=test:5&epoch=2&sort=file") as tab:
        assert tab.locator("#clip h2").inner_text() == "test-5.wav"
        assert tab.locator("#epoch-shown").inner_text() == "2"
        tab.get_by_role("link", name="Devices", exact=True).click()
        wait_until(tab, "location.hash.includes('sample=test:5')")


@pytest.mark.parametrize(
    "address", ["#sample=nothing:99", "#epoch=x&page=-3&sort=%00", "#%", "#view=<b>&harder=nan"]
)
def test_a_broken_address_shows_the_page(visit, page, address):
    with visit(page, address) as tab:
        assert tab.locator("#recordings-table tbody tr").count() > 0


def test_parts_play_on_one_clock_and_one_is_heard(visit, page):
    with visit(page) as tab:
        tab.locator("#parts-play").click()
        wait_until(tab, "document.querySelector('audio[data-part=clip]').currentTime > 0.1")
        heard = "[...document.querySelectorAll('audio[data-part]')].map((a) => a.muted)"
        assert tab.evaluate(heard) == [False, True, True]
        tab.locator("button[data-hear=kept]").click()
        assert tab.evaluate(heard) == [True, False, True]
        times = "[...document.querySelectorAll('audio[data-part]')].map((a) => a.currentTime)"
        wait_until(tab, "document.querySelector('audio[data-part=kept]').currentTime > 0")
        assert max(tab.evaluate(times)) - min(tab.evaluate(times)) < 0.25


def test_marked_recordings_are_exported(visit, page, tmp_path):
    with visit(page, "#sample=test:0") as tab:
        tab.get_by_label("Mark for relabelling").check()
        tab.get_by_label("Search file names").fill("test-59")
        tab.get_by_label("Mark test-59.wav", exact=True).check()
        with tab.expect_download() as download:
            tab.locator("#export").click()
        download.value.save_as(tmp_path / "marked.csv")
    with (tmp_path / "marked.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["filename"] for row in rows] == [HOSTILE, "test-59.wav"]
    assert rows[0]["label"] == CLASSES[0]


def test_keyboard_alone_chooses_a_recording(visit, page):
    with visit(page) as tab:
        tab.locator("#recordings-table button.file").first.focus()
        tab.keyboard.press("ArrowDown")
        second = names_of(tab)[1]
        assert tab.evaluate("document.activeElement.innerText") == second
        tab.keyboard.press("Enter")
        assert second.endswith(tab.locator("#clip h2").inner_text())
        tab.locator("#latent-map svg.map").focus()
        tab.keyboard.press("ArrowRight")
        assert "difficulty" in tab.locator("#latent-status").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, page, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
    with visit(page, "#sample=test:5", scheme=scheme) as tab:
        found = axe.Axe().run(tab, options={"preload": False}).response["violations"]
    serious = {
        v["id"]: v["nodes"][0]["html"] for v in found if v["impact"] in ("serious", "critical")
    }
    assert serious == {}


def test_ten_thousand_recordings_stay_usable(visit, tmp_path):
    from autrainer_ext.report.page import folder_bytes, write_page
    from autrainer_ext.report.source import open_experiment
    from autrainer_ext.report.story import tell

    results = write_runs(tmp_path, n_test=10_000, runs=[("CrossEntropy", 1)], iterations=1)
    story = tell(open_experiment(results, "story"))
    story |= {"clips": {}, "skipped": [], "no_clips": ""}
    story["meta"] |= {"explainer": "grad_cam", "mask": "bin"}
    folder = tmp_path / "page"
    folder.mkdir()
    write_page(story, folder)
    assert folder_bytes(folder) < 5e6
    with visit(folder) as tab:
        paint = tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        assert paint < 2000
        tab.get_by_label("Search file names").fill("test-9999")
        assert names_of(tab)[0].endswith("test-9999.wav")


def test_a_notebook_shows_sections_in_a_frame(browser, experiment, tmp_path):
    shown = show(experiment.folder.parent, "story", "recordings", "links", clips=0)
    (tmp_path / "cell.html").write_text(f"<p>notebook</p>{shown._repr_html_()}")
    context = browser.new_context(offline=True)
    tab, errors = context.new_page(), []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(f"file://{tmp_path}/cell.html")
    frame = tab.frame_locator("iframe")
    frame.locator("#recordings-table button.file").first.click()
    assert frame.locator("#clip h2").is_visible()
    assert frame.locator("#links").is_visible()
    assert not frame.locator("#triangle").is_visible()
    assert errors == []
    context.close()


def test_unknown_sections_are_reported(experiment):
    with pytest.raises(ValueError, match="Unknown section 'link'"):
        show(experiment.folder.parent, "story", "link")
