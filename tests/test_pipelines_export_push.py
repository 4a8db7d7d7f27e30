"""An export on the hub: by the real client, against a hub of this machine."""

import json

import huggingface_hub.constants
import pytest
from fakes.hub import TOKEN, open_hub
from fakes.report import write_dataset

from pipelines.export.job import Export, run_export
from pipelines.export.push import push_folder
from pipelines.terminal.console import CommandError
from transforms.dataset.reader import open_pairs

NAME = "someone/pairs"

# The client's own use of the library that sends its requests.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    root = tmp_path_factory.mktemp("push")
    folder = write_dataset(root / "pairs", pairs=5, rejects=1)
    run_export(Export(open_pairs(folder), "hub-folder", root / "out", "instruction"))
    (root / "out" / ".cache").mkdir()
    (root / "out" / ".cache" / "notes").write_text("no part of it")
    return root / "out"


@pytest.fixture
def hub(monkeypatch):
    # Xet's own protocol cannot be served here; the client then sends files as it did before it.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with open_hub() as hub:
        yield hub


def push(exported, hub, **how):
    return push_folder(exported, NAME, endpoint=hub.address, **{"private": False, **how})


def test_the_hub_holds_the_export_s_files(exported, hub):
    address = push(exported, hub)
    assert address == f"{hub.address}/datasets/{NAME}"
    wanted = {
        path.relative_to(exported).as_posix(): path.read_bytes()
        for path in exported.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }
    assert hub.repositories[NAME] == wanted
    assert {"README.md", "export.json", "data/train-00000-of-00002.parquet"} <= wanted.keys()
    assert not hub.private[NAME]


def test_a_second_push_sends_no_file_again(exported, hub):
    push(exported, hub)
    large = [each for each in hub.sent if len(each) == 64]
    push(exported, hub)
    assert [each for each in hub.sent if len(each) == 64] == large


def test_it_may_be_private(exported, hub):
    push(exported, hub, private=True)
    assert hub.private[NAME]


@pytest.mark.parametrize(
    ("where", "status", "message"),
    [
        ("/api/repos/create", 403, "You have no rights here"),
        ("/api/datasets/someone/pairs/commit", 429, "You have reached your limit"),
    ],
)
def test_what_the_hub_refuses_is_one_line(exported, hub, where, status, message):
    hub.refuse[where] = (status, message)
    with pytest.raises(CommandError, match=f"--push {NAME}: the hub refuses: .*{message}") as told:
        push(exported, hub)
    assert "\n" not in str(told.value)
    assert TOKEN not in str(told.value)


def test_a_hub_that_does_not_answer_is_one_line(exported, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(CommandError, match=f"--push {NAME}: "):
        push_folder(exported, NAME, private=False, endpoint="http://127.0.0.1:9")


def test_the_card_is_one_the_hub_can_read(exported, hub):
    push(exported, hub)
    card = hub.repositories[NAME]["README.md"].decode()
    assert card.startswith("---\n")
    record = json.loads(hub.repositories[NAME]["export.json"])
    assert set(record["files"]) == {f"data/train-0000{n}-of-00002.parquet" for n in range(2)}
