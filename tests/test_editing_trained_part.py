from editing.diffusion.settings import DIFFUSION_MODEL
from editing.trained_part import TrainedPart

PART = TrainedPart(part="diffusion", loader="stable_diffusion", inside="pipeline")


def test_a_run_of_train_holds_it_in_a_folder(tmp_path):
    (tmp_path / "pipeline").mkdir()
    spec = PART.spec(tmp_path)
    assert (spec.loader, spec.location) == ("stable_diffusion", str(tmp_path / "pipeline"))
    assert spec.revision is None


def test_another_folder_is_the_model_itself(tmp_path):
    assert PART.spec(tmp_path).location == str(tmp_path)


def test_a_location_does_not_depend_on_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run" / "pipeline").mkdir(parents=True)
    assert PART.spec(type(tmp_path)("run")).location == str(tmp_path / "run" / "pipeline")


def test_what_iedit_trains_is_what_model_replaces():
    assert DIFFUSION_MODEL == PART
