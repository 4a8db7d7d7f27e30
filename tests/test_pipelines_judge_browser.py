"""The page in a real browser: keys, undo, two judges, and what is kept."""

import pytest
from fakes.browser import open_browser
from fakes.judging import open_session
from fakes.report import write_dataset

from pipelines.judge.server import serve
from pipelines.marks.marks_file import read_marks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data"), pairs=6, rejects=2)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


class Judge:
    """Somebody in front of the page."""

    def __init__(self, page, served, path):
        self.page, self.served, self.path = page, served, path
        page.open(served.address)
        self.key = page.wait("document.body.dataset.key || null")

    def press(self, key):
        """Presses a key that gives a mark, and waits for the next pair or the end."""
        self.page.press(key)
        told = (
            f"document.body.dataset.key !== {self.key!r} || !document.querySelector('#done').hidden"
        )
        self.page.wait(told)
        marked, self.key = self.key, self.page.evaluate("document.body.dataset.key")
        return marked

    def text(self, name):
        return self.page.evaluate(f"document.getElementById({name!r}).innerText")

    def hidden(self, name):
        return self.page.evaluate(f"document.getElementById({name!r}).hidden")

    @property
    def marks(self):
        return read_marks(self.path).of


def test_a_judge_marks_by_keys_and_takes_back(folder, page, tmp_path):
    path = tmp_path / "marks"
    with serve(open_session(folder, path, count=5), name="scenes") as served:
        judge = Judge(page, served, path)
        assert judge.text("marked") == "0"
        for name in ("source", "target", "source_mask", "target_mask"):
            width = f"document.getElementById({name!r}).naturalWidth"
            assert page.wait(width) >= 64
            assert page.evaluate(f"document.getElementById({name!r}).clientHeight") > 100
        first = judge.press("r")
        assert judge.marks("anna")[first].verdict == "right"
        page.press("3")
        page.press("5")
        page.press("5")  # not that after all
        second = judge.press("w")
        assert judge.marks("anna")[second].parts == ("something_else",)
        page.press("4")
        third = judge.press("r")
        assert judge.marks("anna")[third].verdict == "right"
        assert judge.marks("anna")[third].parts == ("source_mask",)
        assert judge.text("marked") == "3"

        page.press("z")
        page.wait(f"document.body.dataset.key === {third!r}")
        pressed = "document.querySelector('[data-part=source_mask]').ariaPressed"
        assert page.evaluate(pressed) == "true"
        assert list(judge.marks("anna")) == [first, second]
        page.press("Backspace")
        page.wait(f"document.body.dataset.key === {second!r}")
        judge.key = second
        assert list(judge.marks("anna")) == [first]
        page.press("3")  # was it that? no
        judge.press("r")
        page.press("4")
        judge.press("u")
        assert judge.marks("anna")[third].verdict == "unsure"
        judge.press("r")
        judge.press("Enter")
        assert judge.marks("anna")[judge.key].verdict == "wrong"
        assert not judge.hidden("done")
        assert "% right" in judge.text("done_title")
        assert "by 4 marks; 1 could not be told" in judge.text("done_text")
        assert page.complaints == []


def test_a_wrong_part_is_no_right_pair(folder, page, tmp_path):
    path = tmp_path / "marks"
    with serve(open_session(folder, path), name="scenes") as served:
        judge = Judge(page, served, path)
        page.press("2")
        page.press("r")
        assert page.wait("document.getElementById('last').innerText").startswith("a part is marked")
        assert not path.exists()
        assert judge.text("marked") == "0"


def test_keys_are_told_and_masks_made_large(folder, page, tmp_path):
    with serve(open_session(folder, tmp_path / "marks"), name="scenes") as served:
        judge = Judge(page, served, tmp_path / "marks")
        height = "document.getElementById('source_mask').clientHeight"
        before = page.evaluate(height)
        page.press("m")
        assert page.evaluate(height) > 1.4 * before
        page.press("?")
        assert not judge.hidden("rules")
        page.press("r")  # is not heard while the rules are read
        page.press("Escape")
        assert judge.hidden("rules")
        assert not judge.hidden("judging")
        assert judge.text("marked") == "0"


def test_two_judges_see_the_same_pairs_and_are_compared(folder, page, tmp_path):
    path = tmp_path / "marks"
    seen = {}
    for name, keys in (("anna", "rwrrw"), ("ben", "rwrww")):
        with serve(open_session(folder, path, judge=name, count=5), name="scenes") as served:
            judge = Judge(page, served, path)
            seen[name] = [judge.press(key) for key in keys]
            last = judge.text("done_tables")
    assert seen["anna"] == seen["ben"]
    assert "anna and ben" in last
    assert "80.0%" in last
    assert read_marks(path).judges == ["anna", "ben"]


def test_the_page_ends_the_server_and_says_so(folder, page, tmp_path):
    with serve(open_session(folder, tmp_path / "marks"), name="scenes") as served:
        judge = Judge(page, served, tmp_path / "marks")
        page.click("#finish")
        served.wait()
        page.wait("!document.getElementById('ended').hidden")
        assert judge.hidden("judging")


def test_a_server_that_is_gone_is_told_and_nothing_is_taken_for_marked(folder, page, tmp_path):
    with serve(open_session(folder, tmp_path / "marks"), name="scenes") as served:
        judge = Judge(page, served, tmp_path / "marks")
    page.press("r")
    page.wait("!document.getElementById('trouble').hidden")
    assert "the server does not answer" in judge.text("trouble")
    assert page.evaluate("document.body.dataset.key") == judge.key
