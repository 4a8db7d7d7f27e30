from itertools import pairwise

import pytest

from indexes.index_choice import FLAT_UP_TO, MOST_LISTS, IndexChoice, choose_index, training_size


@pytest.mark.parametrize(
    ("count", "memory_gib", "key", "parameters"),
    [
        (1, 16, "Flat", ""),
        (50_000, 16, "Flat", ""),
        (50_000, 0.05, "IVF894,SQ8", "nprobe=47"),
        (50_001, 16, "IVF894,SQ8", "nprobe=47"),
        (9_999, 0.001, "Flat", ""),
        (100_000, 16, "IVF1265,SQ8", "nprobe=33"),
        (250_000, 16, "IVF2000,SQ8", "nprobe=21"),
        (999_999, 16, "IVF4000,SQ8", "nprobe=11"),
        (1_000_000, 16, "IVF4000,SQ8", "nprobe=11"),
        (1_000_000, 0.4, "IVF4000,PQ128", "nprobe=11"),
        (1_000_000, 0.1, "IVF4000,PQ64", "nprobe=11"),
        (1_000_000, 0.001, "IVF4000,PQ32", "nprobe=11"),
        (10_000_000, 16, "IVF12649,SQ8", "nprobe=32"),
        (400_000_000, 64, "IVF26214,PQ128", "nprobe=68"),
        (5_000_000_000, 16, "IVF26214,PQ32", "nprobe=68"),
    ],
)
def test_the_index_suits_the_number_of_vectors_and_the_memory(count, memory_gib, key, parameters):
    assert choose_index(count, 512, memory_gib=memory_gib) == IndexChoice(key, parameters)


def test_lists_and_what_they_are_trained_on_grow_without_a_cliff():
    counts = [round(FLAT_UP_TO * 1.3**step) for step in range(1, 45)]
    choices = [choose_index(count, 512) for count in counts]
    sizes = [
        training_size(count, choice, dimension=512)
        for count, choice in zip(counts, choices, strict=True)
    ]
    for values in ([each.lists for each in choices], sizes):
        assert all(low <= high <= 1.2 * low for low, high in pairwise(values))
    assert choices[-1].lists == MOST_LISTS
    assert all(size * 512 * 4 <= 4 * 2**30 for size in sizes)
    assert all(16 * each.lists <= size for each, size in zip(choices, sizes, strict=True))


def test_nothing_is_drawn_to_train_a_flat_index():
    assert training_size(500, IndexChoice("Flat", ""), dimension=8) == 0


def test_codes_are_of_whole_numbers_of_values():
    assert choose_index(1_000_000, 30, memory_gib=0.001).key == "IVF4000,SQ8"


@pytest.mark.parametrize("memory_gib", [0, -1, float("nan")])
def test_no_memory_is_refused(memory_gib):
    with pytest.raises(ValueError, match="memory must be above 0 GiB"):
        choose_index(10, 4, memory_gib=memory_gib)
