import numpy as np
import torch

from stilllife.fields import ABSENT, FIELDS, label_scene
from stilllife.judge import Judge, load_judge
from stilllife.render import render
from stilllife.scene import Mix, draw_scene


def pictures(scenes):
    pixels = np.stack([render(scene).pixels for scene in scenes])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_labels_are_the_attributes():
    for index in range(50):
        scene = draw_scene(1, index)
        attributes = scene.attributes()
        for (name, values), label in zip(FIELDS.items(), label_scene(scene), strict=True):
            assert (label == ABSENT) == (name not in attributes)
            if label != ABSENT:
                assert values[label] == attributes[name]


def test_a_judge_is_saved_and_loaded(tmp_path):
    torch.manual_seed(0)
    judge = Judge().eval()
    judge.save(tmp_path)
    loaded = load_judge(tmp_path)
    images = pictures([draw_scene(2, index) for index in range(8)])
    assert not loaded.training
    for name, logits in judge(images).items():
        torch.testing.assert_close(loaded(images)[name], logits, atol=0.02, rtol=0.02)
    assert (tmp_path / "model.safetensors").stat().st_size < 2_000_000


def test_a_reading_names_what_a_scene_of_that_count_has():
    torch.manual_seed(0)
    judge = Judge().eval()
    scenes = [draw_scene(2, index) for index in range(16)]
    expected = {count: draw_scene(0, 0, Mix(count - 1.0)).attributes().keys() for count in (1, 2)}
    for reading in judge.read(pictures(scenes)):
        assert reading.keys() == expected[int(reading["count"])]


def test_the_shipped_judge_reads_pictures_of_combinations_it_never_saw():
    scenes = [draw_scene(987, index, Mix(held_out=True)) for index in range(200)]
    readings = load_judge().read(pictures(scenes))
    right = [reading == scene.attributes() for reading, scene in zip(readings, scenes, strict=True)]
    assert np.mean(right) > 0.95
