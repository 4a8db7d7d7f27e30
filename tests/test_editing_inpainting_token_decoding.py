"""How hidden codes are told: which cells, how many a step, and by what chance."""

import math

import pytest
import torch

from editing.errors import NotFiniteError
from editing.inpainting.token_decoding import (
    Chance,
    decode_codes,
    draw_codes,
    hidden_share,
    hide_some,
    tell_codes,
    touched_cells,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_cell_is_hidden_if_the_mask_touches_it():
    masks = torch.zeros(2, 1, 8, 12)
    masks[0, 0, 3, 4] = 1
    cells = touched_cells(masks, 4)
    assert cells.shape == (2, 2, 3)
    assert cells[0].nonzero().tolist() == [[0, 1]]
    assert not cells[1].any()


def test_what_is_hidden_falls_along_a_cosine_to_nothing():
    shares = [hidden_share(step, 4) for step in range(5)]
    assert shares[0] == 1
    assert shares[2] == pytest.approx(math.cos(math.pi / 4))
    assert shares[4] == 0
    assert shares == sorted(shares, reverse=True)


def test_some_of_the_cells_are_hidden_by_each_rows_own_chance():
    cells = torch.zeros(3, 4, 4, dtype=torch.bool)
    cells[0, :2] = True
    cells[1, 0, 0] = True
    hidden = hide_some(cells, [generator(row) for row in range(3)], share=0.5)
    assert hidden.flatten(1).sum(1).tolist() == [4, 1, 0]
    assert not (hidden & ~cells).any()
    alone = hide_some(cells[:1], [generator(0)], share=0.5)
    assert torch.equal(alone[0], hidden[0])
    assert torch.equal(hide_some(cells, [generator()] * 3, share=1.0), cells)


def test_codes_are_drawn_by_their_chances():
    chances = torch.tensor([[0.1, 0.0, 0.6, 0.3]]).expand(20_000, -1)
    share = torch.bincount(draw_codes(chances, generator()), minlength=4) / 20_000
    torch.testing.assert_close(share, torch.tensor([0.1, 0.0, 0.6, 0.3]), atol=0.015, rtol=0)
    sure = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    assert draw_codes(sure, generator()).tolist() == [2, 0]


def test_the_least_likely_stay_hidden():
    logits = torch.tensor([[9.0, 0.0], [1.0, 0.0], [5.0, 0.0], [0.0, 3.0]]) * 4
    drawn, stay = tell_codes(logits, generator(), unsure=2, temperature=0.0)
    assert drawn[[0, 2, 3]].tolist() == [0, 0, 1]
    assert stay.tolist() == [False, True, False, True]
    _, none = tell_codes(logits, generator(), unsure=0, temperature=0.0)
    assert not none.any()
    # One is told at least, or the steps would come to nothing.
    _, most = tell_codes(logits, generator(), unsure=9, temperature=0.0)
    assert most.sum() == 3


def test_chance_has_its_part_in_what_is_surest():
    logits = torch.tensor([[9.0, 0.0], [1.0, 0.0], [5.0, 0.0], [3.0, 0.0]])
    found = {
        tuple(tell_codes(logits, generator(seed), unsure=1, temperature=5.0)[1].tolist())
        for seed in range(40)
    }
    assert len(found) == 4


class Teller:
    """Says of every cell that its code is 3, and remembers what it was shown."""

    def __init__(self, broken=()):
        self.seen, self.broken = [], broken

    def __call__(self, codes, hidden):
        self.seen.append((codes.clone(), hidden.clone()))
        logits = torch.zeros(*codes.shape, 5)
        logits[..., 3] = 50.0
        logits[list(self.broken)] = torch.nan
        return logits


def decode(predict, cells, *, strength=1.0, steps=4):
    told = []
    codes = torch.zeros(cells.shape, dtype=torch.long)
    found = decode_codes(
        predict,
        codes,
        cells,
        [generator(row) for row in range(len(cells))],
        strength=strength,
        num_inference_steps=steps,
        chance=Chance(order=1.0, codes=1.0),
        on_step=lambda: told.append(1),
    )
    assert not codes.any()  # what was given stays as it was
    return found, len(told)


def some_cells():
    cells = torch.zeros(2, 4, 4, dtype=torch.bool)
    cells[0] = True
    cells[1, 1, :2] = True
    return cells


def test_every_hidden_code_is_told_and_no_other():
    teller, cells = Teller(), some_cells()
    found, steps = decode(teller, cells)
    assert torch.equal(found == 3, cells)
    assert steps == 4
    hidden = [shown.flatten(1).sum(1).tolist() for _, shown in teller.seen]
    # 16 cells along the cosine; two cells are told in two steps.
    assert [row[0] for row in hidden] == [16, 14, 11, 6]
    assert [row[1] for row in hidden] == [2, 1, 0, 0]


def test_what_was_told_is_seen_in_the_next_step():
    teller = Teller()
    decode(teller, some_cells())
    (codes, hidden) = teller.seen[1]
    assert bool((codes[0] == 3)[~hidden[0]].all())
    assert bool((~hidden[0]).any())


def test_with_less_strength_some_codes_stay():
    found, steps = decode(Teller(), some_cells(), strength=0.5)
    assert steps == 2
    # cos(pi / 4) of 16 and of 2, rounded up.
    assert (found == 3).flatten(1).sum(1).tolist() == [12, 2]


def test_more_steps_than_codes_ask_the_network_no_more_than_is_needed():
    teller = Teller()
    found, steps = decode(teller, some_cells()[1:], steps=50)
    assert (found == 3).sum() == 2
    assert steps == 50
    assert len(teller.seen) == 2


def test_rows_without_numbers_are_named():
    with pytest.raises(NotFiniteError) as caught:
        decode(Teller(broken=[1]), some_cells())
    assert caught.value.places == (1,)
