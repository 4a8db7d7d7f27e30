import pytest
from fakes.type_checks import unchecked

from editing.settings import describe_settings
from editing.training.pair_settings import PROMPT_COLUMNS, PairSettings


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"prompts": "x"}, "prompts must be one of edit, target, got 'x'"),
        ({"quality": "x"}, "quality must be one of retrieval, .*, got 'x'"),
    ],
)
def test_what_breaks_a_rule_is_refused(change, rule):
    with pytest.raises(ValueError, match=f"^{rule}$"):
        unchecked(PairSettings, **change)


def test_pairs_may_be_read_at_the_model_s_size_with_equal_weights():
    facts = {each.name: each for each in describe_settings(PairSettings)}
    assert (facts["size"].optional, facts["quality"].optional) == (True, True)
    assert facts["prompts"].choices == tuple(PROMPT_COLUMNS)
