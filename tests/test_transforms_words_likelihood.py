from transforms.words.lexicon import load_lexicon
from transforms.words.pool_words import count_pool
from transforms.words.proposals import RewriteOptions, Rewriter

LEXICON = load_lexicon()
DOGS = [f"a dog runs through the {place}" for place in ("grass", "snow", "sand")] * 40
CATS = ["a cat sleeps on a sofa"] * 40
SURFERS = ["a surfer rides a wave at the beach"] * 40
STREETS = ["a car drives down the street"] * 30 + ["a car drives down the path"] * 30


def targets(caption, pool=(), **options):
    captions = [*DOGS, *CATS, *SURFERS, *STREETS, *pool]
    rewriter = Rewriter(LEXICON, RewriteOptions(**options), count_pool(captions, LEXICON))
    return {one.target_phrase for one in rewriter.possible(caption)}


def test_a_word_goes_where_the_pool_has_it():
    assert "snow" in targets("a black dog runs through the grass")
    assert "path" in targets("a truck drives down the street")


def test_a_word_stays_away_where_its_family_goes_without_it():
    assert "cat" not in targets("a dog runs through the grass")
    assert "cat" in targets("a dog sleeps on a sofa", ["a dog sleeps on a sofa"])


def test_scenery_needs_a_pool():
    without = {one.target_phrase for one in Rewriter(LEXICON).possible("a dog in the snow")}
    assert "cat" in without
    assert not {"grass", "sand"} & without


def test_a_material_is_seen_before_that_very_noun():
    wooden = ["a wooden bench"] * 5
    assert "metal bench" not in targets("a wooden bench", wooden)
    assert "metal bench" in targets("a wooden bench", [*wooden, "a metal bench"])


def test_people_are_exchanged_as_often_one_way_as_the_other():
    captions = ["a man on a horse"] * 90 + ["a woman on a horse"] * 30
    rewriter = Rewriter(LEXICON, RewriteOptions(), count_pool(captions, LEXICON))
    weights = {
        (one.source_word, one.target_word): one.weight
        for caption in set(captions)
        for one in rewriter.possible(caption)
    }
    there, back = weights["man", "woman"], weights["woman", "man"]
    assert 0.8 < (90 * there) / (30 * back) < 1.25


def test_kinds_can_be_left_out():
    caption = "a man in a red jacket"
    pool = ["a woman in a red coat", "a man in a blue sweater", "a girl in a green sweater"]
    assert {"woman", "blue jacket", "sweater"} <= targets(caption, pool)
    assert "woman" not in targets(caption, pool, without=("person",))
    assert "blue jacket" not in targets(caption, pool, without=("colour",))
    assert "sweater" not in targets(caption, pool, without=("tops",))


def test_texts_from_anywhere_are_edited_with_more_care():
    captions = ["a dog sleeps on a sofa", "a cat sleeps on a sofa", "a black dog"] * 30
    headlines = ["how to choose a dog", "check out this sofa for sale"] * 10
    plain, mixed = (count_pool(each, LEXICON) for each in (captions, [*captions, *headlines]))
    assert mixed.mixed
    assert not plain.mixed
    caption = "a dog sleeps on a sofa"
    weights = [
        {one.target_phrase: one.weight for one in Rewriter(LEXICON, pool=pool).possible(caption)}
        for pool in (plain, mixed)
    ]
    assert weights[1]["cat"] < weights[0]["cat"]


def test_what_is_said_of_a_tennis_player_keeps_the_player():
    pool = ["a tennis player runs", "a soccer player runs"] * 20
    assert "soccer player" in targets("a tennis player runs", pool)
    assert "soccer player" not in targets("a tennis player runs in a tennis match", pool)
    assert "soccer player" not in {
        one.target_phrase for one in Rewriter(LEXICON).possible("a tennis player runs")
    }


def test_parents_and_their_children_keep_their_age():
    pool = ["a boy with a kite", "a woman with a kite", "a man with a son"] * 10
    assert "boy" in targets("a man with a kite", pool)
    assert "boy" not in targets("a man with his son and a kite", pool)
    assert "child" not in targets("a pregnant woman with a kite", ["a child with a kite"] * 10)
