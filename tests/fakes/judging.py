"""A judging session on a data set of little scenes, and its page for a test client."""

from pipelines.judge.app import make_app
from pipelines.judge.session import JudgingSession
from pipelines.marks.judged import heading_of
from pipelines.marks.marks_file import MarksFile
from pipelines.marks.strata import Design, read_ranked
from transforms.dataset.reader import open_pairs

TOKEN = "a-token-that-nobody-guesses"


def open_session(folder, marks, *, judge="anna", count=100, design=None):
    pairs = open_pairs(folder)
    design = design or Design(strata=2)
    file = MarksFile(marks, heading_of(pairs, design))
    ranked = read_ranked(pairs.table, design)
    return JudgingSession(pairs, ranked, file=file, judge=judge, count=count)


def open_client(session, finish=lambda: None):
    """Asks the page of `session` as a browser on this machine would."""
    app = make_app(session, name="scenes", token=TOKEN, finish=finish)
    return app.test_client()
