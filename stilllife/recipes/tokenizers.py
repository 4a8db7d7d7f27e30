"""Tokenizers for the world's words, of the classes that the full-size models use.

Both know every byte or letter, so that any text can be encoded; the world's words are one token.
"""

from collections import Counter
from itertools import pairwise

from tokenizers.pre_tokenizers import ByteLevel
from transformers import BertTokenizer, CLIPTokenizer

from stilllife.words import BACKGROUNDS, COLOURS, NOUNS, SIDES, SIZES

GRAMMAR = ("a", "an", "and", "background", "of", "on", "the", "to")
WORDS = tuple(sorted({*GRAMMAR, *NOUNS, *COLOURS, *SIZES, *BACKGROUNDS, *SIDES}))
TEXT_LENGTH = 32
"""Longest text in tokens, start and end included."""

DECODER_START = "[DEC]"


def _most_frequent_pair(spellings: list[list[str]]) -> tuple[str, str] | None:
    pairs = Counter(pair for letters in spellings for pair in pairwise(letters))
    return min(pairs, key=lambda pair: (-pairs[pair], pair)) if pairs else None


def learn_merges(words: tuple[str, ...]) -> list[tuple[str, str]]:
    """Byte-pair merges (Sennrich et al. 2016) that make one symbol of each of `words`."""
    spellings = [[*word[:-1], word[-1] + "</w>"] for word in words]
    merges = []
    while (pair := _most_frequent_pair(spellings)) is not None:
        merges.append(pair)
        for letters in spellings:
            _merge(letters, pair)
    return merges


def _merge(letters: list[str], pair: tuple[str, str]) -> None:
    at = 0
    while at < len(letters) - 1:
        if (letters[at], letters[at + 1]) == pair:
            letters[at : at + 2] = ["".join(pair)]
        at += 1


def clip_tokenizer() -> CLIPTokenizer:
    """CLIP's byte-level tokenizer with the world's words as merges."""
    symbols = sorted(ByteLevel.alphabet())
    merges = learn_merges(WORDS)
    tokens = [*symbols, *(symbol + "</w>" for symbol in symbols)]
    tokens += ["".join(pair) for pair in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TEXT_LENGTH)


def blip_tokenizer() -> BertTokenizer:
    """BERT's word-piece tokenizer with the world's words, letters for all others, and [DEC]."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", DECODER_START]
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    pieces = [*letters, *(f"##{letter}" for letter in letters)]
    tokens = dict.fromkeys([*special, *WORDS, *pieces])
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return BertTokenizer(vocab=vocabulary, bos_token=DECODER_START, model_max_length=TEXT_LENGTH)
