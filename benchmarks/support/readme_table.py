"""The rows of the README's table of what is measured, from the results that are kept."""

from collections.abc import Callable, Sequence

from support import readme_clean_rows as clean
from support import readme_cost_rows as costs
from support import readme_judging_rows as judging
from support import readme_model_rows as models
from support import readme_pipeline_rows as pipeline
from support.readme_words import Row
from support.results import ResultError, Results


def render_table(results: Results) -> str:
    """The sentence that says where things were measured, and the table under it, in Markdown.

    Raises:
        ResultError: a result is missing, or lacks a figure.
    """
    rows = [row for write in ROWS for row in _write(write, results)]
    machines = {result.machine for name in ("host_work", "memory") for result in results.all(name)}
    return "\n".join(
        [
            "On the still life, whose truth is known; times and memory on a "
            + " and a ".join(sorted(machines))
            + ":",
            "",
            "| command | figure | measured |",
            "|---|---|---|",
            *(
                "| " + " | ".join(row) + " |" if row[0] else f"| | {row[1]} | {row[2]} |"
                for row in rows
            ),
        ]
    )


def _write(write: Callable[[Results], list[Row]], results: Results) -> list[Row]:
    try:
        return write(results)
    except KeyError as error:
        raise ResultError(f"the results for {write.__name__} lack {error}") from error


ROWS: Sequence[Callable[[Results], list[Row]]] = (
    pipeline.pair_quality,
    costs.host_work,
    costs.growth,
    costs.candidate_scoring,
    costs.memory,
    pipeline.identical_bytes,
    pipeline.fetch_hostile,
    pipeline.fetch_peer,
    pipeline.embed_peer,
    models.small_models,
    models.editor_table,
    models.region_table,
    models.diffedit_table,
    models.zestguide_table,
    models.flexit_table,
    models.simat_table,
    pipeline.rewrite_sentences,
    pipeline.real_captions,
    pipeline.mined_captions,
    judging.edit_instructions,
    judging.judge_coverage,
    pipeline.search_and_layout,
    pipeline.index_scale,
    clean.near_duplicates,
    models.precision,
    models.full_size,
)
