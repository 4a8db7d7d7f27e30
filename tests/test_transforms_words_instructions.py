"""Instructions: grammatical, of the words that are exchanged, drawn by seed and key."""

import pytest
from fakes.records import query

from transforms.record import RELATIONS
from transforms.words.instructions import InstructionWriter, instruct, load_writer
from transforms.words.lexicon import load_lexicon
from transforms.words.proposals import Proposal, RewriteOptions, load_rewriter


@pytest.fixture(scope="module")
def writer():
    return InstructionWriter(load_lexicon())


@pytest.fixture(scope="module")
def rewriter():
    return load_rewriter(RewriteOptions(edits=200))


def edit_of(rewriter, caption, prompt):
    [found] = [one for one in rewriter.propose(caption, "") if one.edit_prompt == prompt]
    return found


@pytest.mark.parametrize(
    ("caption", "prompt", "some", "others"),
    [
        (
            "a dog on a red sofa",
            "a cat on a red sofa",
            {"replace the dog with a cat", "turn the dog into a cat", "swap the dog for a cat"},
            {"replace dog with cat"},
        ),
        (
            "A dog runs",
            "A rabbit runs",
            {"put a rabbit in place of the dog"},
            {"put a Rabbit in place of the Dog"},
        ),
        (
            "two dogs in the snow",
            "two cats in the snow",
            {"replace the dogs with cats"},
            {"replace the dogs with a cats"},
        ),
        (
            "a red car on a street",
            "a blue car on a street",
            {"make the car blue", "change the color of the car to blue", "make the red car blue"},
            {"make the car a blue"},
        ),
        (
            "an orange car on a street",
            "a white car on a street",
            {"replace the orange car with a white car"},
            set(),
        ),
        (
            "a white car on a street",
            "an orange car on a street",
            {"replace the white car with an orange car"},
            {"replace the white car with a orange car"},
        ),
        (
            "an old man with a dog",
            "a young man with a dog",
            {"make the man young", "turn the old man into a young man"},
            set(),
        ),
        (
            "a boy in blue jeans",
            "a boy in red jeans",
            {"make the jeans red", "replace the blue jeans with red jeans"},
            {"replace the blue jeans with a red jeans"},
        ),
        (
            "green grass and a rock",
            "brown grass and a rock",
            {"make the grass brown", "turn the green grass into brown grass"},
            {"turn the green grass into a brown grass", "turn the green grass into a brown one"},
        ),
        (
            "two boys in a field",
            "four boys in a field",
            {"show four boys instead of two", "change the number of boys from two to four"},
            {"make the boys four"},
        ),
        (
            "two boys playing soccer in a field",
            "two boys playing tennis in a field",
            {"change the sport from soccer to tennis"},
            {"replace the soccer with tennis"},
        ),
        (
            "a cup of coffee",
            "a cup of tea",
            {"replace the coffee with tea"},
            {"replace the coffee with a tea"},
        ),
        (
            "a dark blue car on a street",
            "a light blue car on a street",
            {"turn the dark blue car into a light blue car"},
            {"make the blue car light"},
        ),
    ],
)
def test_wordings_of_an_edit(rewriter, caption, prompt, some, others):
    found = rewriter.instructions.wordings(edit_of(rewriter, caption, prompt))
    assert some <= set(found)
    assert others.isdisjoint(found)
    assert len(set(found)) == len(found)


def test_where_a_noun_is_named_twice_its_adjective_is_said(writer):
    edit = Proposal(
        caption="a red cup and a blue cup",
        edit_prompt="a green cup and a blue cup",
        source_word="red",
        target_word="green",
        source_phrase="red cup",
        target_phrase="green cup",
        relation="co-hyponym",
        part_of_speech="adjective",
        source_synset="red.s.01",
        target_synset="green.s.01",
    )
    assert all("red cup" in wording for wording in writer.wordings(edit))


def mined(caption, prompt, old, new, part_of_speech="adjective"):
    return Proposal(
        caption=caption,
        edit_prompt=prompt,
        source_word=old,
        target_word=new,
        source_phrase=old,
        target_phrase=new,
        relation="co-hyponym",
        part_of_speech=part_of_speech,
        source_synset="two.s.01",
        target_synset="three.s.01",
    )


@pytest.mark.parametrize(
    ("edit", "wording"),
    [
        (
            mined("A dog runs.", "Two white dogs run.", "A dog", "Two white dogs"),
            "show two white dogs instead of the dog",
        ),
        (
            mined("The two dogs play", "a dog plays", "The two dogs", "a dog"),
            "make it a dog instead of the two dogs",
        ),
        (mined("Two girls", "three girls", "Two", "three"), "show three girls instead of two"),
        (
            mined("Several cows in grass", "three cows on grass", "Several", "three"),
            "show three cows instead of several",
        ),
    ],
)
def test_numbers_of_mined_pairs(writer, edit, wording):
    assert wording in writer.wordings(edit)
    assert not any("number of" in each and "several" in each for each in writer.wordings(edit))


CAPTIONS = (
    "A red bus in front of an old church",
    "a young woman holding two umbrellas",
    "Three large dogs running through green grass",
    "A TV on a wooden table beside a bowl of oranges",
    "some white sheep in a field in winter",
    "THE CAT SLEEPS ON A BLUE CHAIR",
)


def test_every_wording_names_what_comes_in_on_one_plain_line(rewriter):
    seen = 0
    for caption in CAPTIONS:
        for edit in rewriter.propose(caption, caption):
            assert edit.relation in RELATIONS
            for wording in rewriter.instructions.wordings(edit):
                seen += 1
                assert edit.target_word.lower() in wording.lower()
                assert wording == " ".join(wording.split())
                assert wording.replace("TV", "tv").islower()
                assert " a a" not in wording.replace(" a an", " a a")
    assert seen > 300


def test_the_wording_follows_from_seed_and_key(rewriter):
    edit = edit_of(rewriter, "a dog on a red sofa", "a cat on a red sofa")
    lexicon = rewriter.lexicon
    drawn = {key: InstructionWriter(lexicon, 3).write(edit, key) for key in map(str, range(40))}
    again = {key: InstructionWriter(lexicon, 3).write(edit, key) for key in map(str, range(40))}
    other = {key: InstructionWriter(lexicon, 4).write(edit, key) for key in map(str, range(40))}
    assert drawn == again
    assert drawn != other
    assert set(drawn.values()) == set(rewriter.instructions.wordings(edit))


def test_a_query_gets_its_instruction_by_its_own_key():
    one = query(3)
    said = instruct(one, load_writer(0))
    assert said.edit_instruction == load_writer(0).write(one, one.key)
    assert "apple" in said.edit_instruction
    assert "pear" in said.edit_instruction
    assert instruct(said, load_writer(0)) == said
    assert load_writer(0) is load_writer(0)
