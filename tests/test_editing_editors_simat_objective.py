import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from fakes.accelerator import forget_accelerator
from fakes.index import FakeEncoder, build_index, small_pool

from editing.editors.simat.losses import info_nce
from editing.editors.simat.objective import HeadObjective, KnownTexts, same_texts
from editing.editors.simat.settings import HeadTraining
from editing.training.embedding_stream import EmbeddingStream
from editing.training.loop_settings import LoopSettings
from editing.training.objective import NoDraw, Objective, PictureObjective
from editing.training.pair_stream import PairsError
from editing.training.trainer import Trainer
from transforms.models.adaptation_heads import load_heads
from transforms.models.spec import ModelSpec


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return build_index(tmp_path_factory.mktemp("index"), [small_pool()])


@pytest.fixture(autouse=True)
def fresh_accelerate():
    forget_accelerator()
    yield
    forget_accelerator()


def objective(**settings):
    return HeadObjective(
        encoder=FakeEncoder(), identity="fake@1", settings=HeadTraining(**settings)
    )


def rows(count, seed):
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))


class TestInfoNce:
    def test_it_is_the_thesis_s_sum_with_its_logarithm(self):
        images, texts, temperature = rows(3, 0), rows(3, 1), 0.5
        unit = F.normalize(images, dim=1), F.normalize(texts, dim=1)
        odds = torch.exp(unit[0] @ unit[1].T / temperature)
        to_text = -torch.log(odds.diag() / odds.sum(1)).mean()
        to_image = -torch.log(odds.diag() / odds.sum(0)).mean()
        found = info_nce(images, texts, temperature=temperature)
        assert torch.allclose(torch.stack(found), torch.stack([to_text, to_image]) / 2, atol=1e-6)

    def test_lengths_do_not_matter(self):
        images, texts = rows(3, 0), rows(3, 1)
        one = info_nce(images, texts, temperature=0.1)
        other = info_nce(5 * images, 0.2 * texts, temperature=0.1)
        assert torch.allclose(torch.stack(one), torch.stack(other), atol=1e-5)

    def test_what_is_left_out_is_neither_right_nor_wrong(self):
        images, texts = rows(3, 0), rows(3, 1)
        texts[2] = texts[1]
        left_out = same_texts(("a", "b", "b"))
        assert left_out.tolist() == [[False] * 3, [False, False, True], [False, True, False]]
        found = info_nce(images[:2], texts[:2], temperature=0.5)
        whole = info_nce(images, texts, temperature=0.5, left_out=left_out)
        assert whole[0] < info_nce(images, texts, temperature=0.5)[0]
        assert len(found) == len(whole) == 2


class TestStream:
    def test_an_epoch_has_every_picture_once(self, index):
        stream = EmbeddingStream(index, batch_size=4, seed=3)
        batches = stream.batches()
        found = torch.cat([next(batches).images for _ in range(3)])
        wanted = torch.from_numpy(index.embeddings(range(12)))
        assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, wanted.tolist()))

    def test_it_goes_on_where_it_was_and_the_seed_decides(self, index):
        stream = EmbeddingStream(index, batch_size=5, seed=3)
        batches = stream.batches()
        first = [next(batches) for _ in range(4)]
        again = next(stream.batches(first_step=3))
        assert torch.equal(again.images, first[3].images)
        assert again.captions == first[3].captions
        other = next(EmbeddingStream(index, batch_size=5, seed=4).batches())
        assert not torch.equal(other.images, first[0].images)

    def test_devices_share_a_batch(self, index):
        stream = EmbeddingStream(index, batch_size=4)
        whole = next(stream.batches())
        shares = [next(stream.batches(rank=rank, of=2)) for rank in (0, 1)]
        assert torch.equal(torch.cat([each.images for each in shares]), whole.images)
        assert len(shares[0]) == 2
        assert whole.sides == (0, 0)
        with pytest.raises(ValueError, match="must be a multiple of 3 devices, got 4"):
            next(stream.batches(of=3))

    def test_too_few_pictures_are_one_line(self, index):
        with pytest.raises(PairsError, match="needs 13 pictures with a caption, and there are 12"):
            EmbeddingStream(index, batch_size=13)


class TestObjective:
    def test_it_is_an_objective_without_pictures(self):
        assert isinstance(objective(), Objective)
        assert not isinstance(objective(), PictureObjective)
        assert objective().group_of(5) == 0

    def test_the_heads_begin_as_the_encoder_s_own_space(self, index):
        heads = objective().heads()
        vectors = index.embeddings(range(3))
        assert np.allclose(heads.adapt_images(vectors), vectors, atol=1e-6)
        assert np.allclose(heads.adapt_texts(vectors), vectors, atol=1e-6)

    def test_every_caption_is_embedded_once(self):
        encoder = FakeEncoder()
        known = KnownTexts(encoder)
        first = known.embed(["red", "green", "red"])
        assert encoder.texts_seen == 2
        assert torch.equal(known.embed(["red"]), first[:1])
        assert encoder.texts_seen == 2

    def test_of_many_captions_some_are_embedded_again(self):
        encoder = FakeEncoder()
        known = KnownTexts(encoder, most_bytes=4 * encoder.dimension)
        known.embed(["red"])
        both = known.embed(["red", "green"])
        assert encoder.texts_seen == 2
        assert torch.equal(known.embed(["green"])[0], both[1])
        assert encoder.texts_seen == 3

    def test_same_captions_may_be_left_out(self, index):
        batch = EmbeddingStream(index, batch_size=12).first(12)
        apart = objective()(batch, NoDraw()).terms
        left_out = objective(same_captions="left-out")(batch, NoDraw()).terms
        assert left_out["to_text"] < apart["to_text"]

    @pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
    def test_wrong_temperatures_are_refused(self, temperature):
        with pytest.raises(ValueError, match="temperature must be above 0"):
            HeadTraining(temperature=temperature)


def train(index, folder, *, steps, seed=0):
    forget_accelerator()
    trained = objective(temperature=0.1)
    loop = LoopSettings(
        steps=steps, batch_size=6, learning_rate=1e-2, checkpoint_every=2, seed=seed
    )
    trainer = Trainer(trained, loop, Accelerator(cpu=True), folder=folder, identities=("one",))
    first = trainer.resume()
    stream = EmbeddingStream(index, batch_size=6, seed=seed)
    losses = []
    trainer.run(
        first,
        stream.batches(first_step=first),
        on_step=lambda report: losses.append(report.loss),
        on_sample=lambda step: None,
    )
    return trained, losses


class TestTraining:
    def test_it_learns_which_words_belong_to_which_picture(self, index, tmp_path):
        trained, losses = train(index, tmp_path, steps=60)
        batch = EmbeddingStream(index, batch_size=12).first(12)
        assert losses[-1] < 0.7 * losses[0]
        assert trained.recall(batch) > objective().recall(batch)

    def test_an_interrupted_run_ends_with_the_same_heads(self, index, tmp_path):
        whole, _ = train(index, tmp_path / "whole", steps=6)
        train(index, tmp_path / "parts", steps=4)
        parts, losses = train(index, tmp_path / "parts", steps=6)
        assert len(losses) == 2
        for name, value in whole.groups[0].items():
            assert torch.equal(value, parts.groups[0][name]), name

    def test_what_is_saved_says_what_it_is_of(self, index, tmp_path):
        trained, _ = train(index, tmp_path / "run", steps=2)
        trained.save(tmp_path / "heads")
        config = json.loads((tmp_path / "heads" / "config.json").read_text())
        assert config == {
            "model_type": "adaptation_heads",
            "encoder": "fake@1",
            "dimension": 16,
            "width": 16,
            "temperature": 0.1,
            "same_captions": "apart",
        }
        where = ModelSpec(loader="adaptation_heads", location=str(tmp_path / "heads"))
        vectors = index.embeddings(range(4))
        loaded, now = load_heads(where), trained.heads()
        assert np.array_equal(loaded.adapt_images(vectors), now.adapt_images(vectors))
