"""All commands and what they import only when they work, for a server that processes come from."""

import faiss  # noqa: F401

import transforms.fetching.fetcher
import transforms.models.loading  # noqa: F401
from pipelines.main import build_parser

build_parser()
