"""Which tokens stand for a phrase."""

import pytest
from fakes.model_folders import save_clip_tokenizer

from editing.attention.tokens import choose_tokens, find_phrases
from editing.errors import EditError, SettingError

PROMPT = "a red apple on the green bus"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """One of whole words; a prompt has a start and an end, and takes 12 tokens."""
    from transformers import CLIPTokenizer

    folder = tmp_path_factory.mktemp("words")
    save_clip_tokenizer(folder)
    return CLIPTokenizer.from_pretrained(folder)


def choose(tokenizer, phrases, choice="phrase", *, prompt=PROMPT, pads=2):
    return choose_tokens(tokenizer, prompt, phrases, choice=choice, pads=pads)


def test_a_phrase_s_own_tokens(tokenizer):
    assert choose(tokenizer, ["red apple", "bus"]) == [(2, 3), (7,)]


def test_the_last_in_the_prompt_has_the_end_and_the_first_pads(tokenizer):
    assert choose(tokenizer, ["bus", "red apple"], "phrase-and-end") == [(7, 8, 9, 10), (2, 3)]
    assert choose(tokenizer, ["bus", "red apple"], "end") == [(8, 9, 10), (2, 3)]
    assert choose(tokenizer, ["apple", "bus"], "end", pads=0) == [(3,), (8,)]


def test_there_are_no_more_pads_than_the_encoder_takes(tokenizer):
    assert choose(tokenizer, ["apple", "bus"], "end", pads=60) == [(3,), (8, 9, 10, 11)]


def test_an_only_phrase_is_its_own_words(tokenizer):
    for choice in ("phrase", "phrase-and-end", "end"):
        assert choose(tokenizer, ["bus"], choice) == [(7,)]


@pytest.mark.parametrize("prompt", ["A  RED apple", "a red\n apple", "one: a red apple, on"])
def test_case_and_blanks_do_not_matter(tokenizer, prompt):
    (span,) = find_phrases(prompt, ["Red Apple"])
    assert "".join(prompt[slice(*span)].lower().split()) == "redapple"


def test_several_pieces_of_a_word_all_stand_for_it(tokenizer):
    (tokens,) = choose(tokenizer, ["dabs"], prompt="a dabs apple")
    assert len(tokens) == 4


def test_a_shorter_phrase_is_looked_for_outside_of_longer_ones():
    prompt = "a green apple and an apple"
    assert find_phrases(prompt, ["apple", "green apple"]) == [(21, 26), (2, 13)]


@pytest.mark.parametrize(
    ("phrases", "line"),
    [
        (["pear"], "a segment's phrase must stand in the prompt: 'pear' is not in 'a red apple on"),
        (["app"], "a segment's phrase must stand in the prompt: 'app' is not in"),
        (["apple red"], "a segment's phrase must stand in the prompt: 'apple red' is not in"),
        (
            ["red apple", "apple"],
            "a segment's phrase must stand outside of other segments' phrases: 'apple' in",
        ),
    ],
)
def test_a_phrase_that_is_not_in_the_prompt(tokenizer, phrases, line):
    with pytest.raises(EditError) as caught:
        choose(tokenizer, phrases)
    assert str(caught.value).startswith(line)


def test_an_unknown_choice(tokenizer):
    with pytest.raises(SettingError, match="tokens must be one of phrase, phrase-and-end, end"):
        choose(tokenizer, ["bus"], "words")
