"""A build whose index is a search service that runs elsewhere (`--index http://...`)."""

import dataclasses
from pathlib import Path

from indexes.knn_service import open_service
from indexes.storage.paths import as_path, is_stored
from pipelines.build.plan import BuildOptions, BuildPlan, describe_build
from transforms.fetching.linked_pictures import LinkedPictures
from transforms.fetching.options import FetchOptions
from transforms.models.files import identity
from transforms.models.loading import LoadEncoder
from transforms.presets import Preset
from transforms.protocols import Source
from transforms.retrieve_service import check_service_options
from transforms.words.judging import NO_JUDGE

PICTURES_SUFFIX = ".pictures"
"""The folder of the pictures that were fetched has the data set's name and this."""


def is_service(index: str) -> bool:
    """Whether `index`, as a person wrote it, is the address of a service and no folder."""
    return index.lower().startswith(("http://", "https://"))


def plan_service_build(
    *,
    source: Source,
    url: str,
    name: str | None,
    preset: Preset,
    options: BuildOptions,
    folder: str,
    fetch: FetchOptions | None = None,
) -> BuildPlan:
    """A plan that asks the index `name` of the service at `url`; None for its only one.

    Candidates are searched for and not mined. Pictures are fetched by their links under `fetch`.

    Raises:
        KnnServiceError: the service does not answer, or cannot be used with `preset`.
        ValueError: an option that needs what a service does not give, or `folder` on a store:
            the pictures that are fetched lie beside it.
        ModelError: a model cannot be found.
    """
    if options.method == "mine":
        raise ValueError("method must be search: a service cannot be asked for all its captions")
    if is_stored(as_path(folder)):
        raise ValueError(f"--out must be on this machine with an index that is a service: {folder}")
    if options.rewrite.judge != NO_JUDGE:
        raise ValueError("judge must be none: a service cannot be asked for all its captions")
    check_service_options(options.retrieve, options.thresholds)
    retrieve = dataclasses.replace(options.retrieve, candidates="search")
    options = dataclasses.replace(options, retrieve=retrieve)
    dimension = LoadEncoder(preset.encoder)().dimension
    service = open_service(url, name, dimension=dimension)
    pool = LinkedPictures(str(Path(folder).absolute()) + PICTURES_SUFFIX, fetch or FetchOptions())
    about = {
        "encoder": identity(preset.encoder),
        "service": service.url,
        "name": service.name,
        "dimension": dimension,
    }
    return BuildPlan(
        source=source,
        pool=pool,
        index_folder=service.url,
        preset=preset,
        options=options,
        folder=folder,
        configuration=describe_build(source, about, preset, options),
        service=service,
    )
