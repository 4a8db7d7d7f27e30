"""Hours and bytes of an index and a build, reckoned from rates; docs/scale.md has the reasons."""

from dataclasses import dataclass

from pipelines.plan.rates import Rates

HOUR_S = 3600.0
NETWORKS, HOST, SEARCH = "networks", "host", "search"


@dataclass(frozen=True, kw_only=True)
class Machines:
    """What the work is shared out to: `gpus` cards (0: networks by the cores) and `cores`."""

    gpus: int
    cores: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one step takes of all pictures together: seconds of one card or core.

    `name` is that of its rate for a network; `on` is `gpu` or `cpu`; `rates` are the names of the
    rates it was reckoned with.
    """

    job: str
    name: str
    on: str
    seconds: float
    rates: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What an index of `pictures` and a build with each of them as a source take."""

    pictures: int
    steps: tuple[Step, ...]
    machines: Machines
    index_key: str
    bytes: dict[str, float]

    def hours(self, job: str) -> float:
        """Of `index` or `build`: cards and cores work at the same time, the slower decides."""
        return max(self._hours(job, "gpu"), self._hours(job, "cpu"))

    def driver(self, job: str) -> str:
        """The step that takes the most time of those that decide."""
        on = max(("gpu", "cpu"), key=lambda each: self._hours(job, each))
        steps = [step for step in self.steps if (step.job, step.on) == (job, on)]
        return max(steps, key=lambda step: step.seconds).name

    def step_hours(self, step: Step) -> float:
        """How long a step takes on all cards or cores together."""
        return step.seconds / self._workers(step.on) / HOUR_S

    def _hours(self, job: str, on: str) -> float:
        return sum(self.step_hours(s) for s in self.steps if (s.job, s.on) == (job, on))

    def _workers(self, on: str) -> int:
        return max(1, self.machines.gpus if on == "gpu" else self.machines.cores)


def reckon(
    pictures: int,
    preset: str,
    rates: Rates,
    machines: Machines,
    *,
    picture_bytes: float | None = None,
) -> Costs:
    """What so many pictures take; `picture_bytes` is the mean size of one, where it is known."""
    on = "gpu" if machines.gpus else "cpu"
    key, vector_bytes, share = _choose_index(pictures, preset, rates)
    queries = pictures * rates["job.queries_a_source"]
    pairs = pictures * rates["job.pairs_a_source"]

    def network(job: str, name: str, rows: float) -> Step:
        rate = f"networks.{preset}.{name}.{on}"
        return Step(job=job, name=name, on=on, seconds=rows * rates[rate], rates=(rate,))

    def host(job: str, name: str, rows: float, rate: str) -> Step:
        return Step(job=job, name=name, on="cpu", seconds=rows * rates[rate], rates=(rate,))

    scanned = queries * pictures * share * vector_bytes
    search = Step(
        job="build",
        name="search",
        on="cpu",
        seconds=scanned / rates["host.search_bytes_a_second"],
        rates=("host.search_bytes_a_second",),
    )
    steps = (
        host("index", "read and prepare", pictures, "host.prepare"),
        network("index", "caption", pictures),
        network("index", "embed", pictures),
        host("build", "read and prepare", pictures, "host.prepare"),
        # Of a picture its caption, and the prompt of each of its edits.
        network("build", "embed_text", pictures + queries),
        search,
        host("build", "score", queries, "host.score_query"),
        network("build", "segment", 2 * pairs),
        host("build", "write", pairs, "host.write_pair"),
    )
    return Costs(
        pictures=pictures,
        steps=steps,
        machines=machines,
        index_key=key,
        bytes=_bytes(pictures, preset, rates, vector_bytes, picture_bytes=picture_bytes),
    )


def _choose_index(pictures: int, preset: str, rates: Rates) -> tuple[str, float, float]:
    """A search index for so many: its kind, bytes of a vector in it, share that a query reads."""
    dimension = rates[f"networks.{preset}.dimension"]
    if pictures <= rates["search.flat_up_to"]:
        return "all vectors", 4 * dimension, 1.0
    if pictures <= rates["search.bytes_up_to"]:
        return "inverted lists, a byte a number", dimension, rates["search.share_probed"]
    return (
        f"inverted lists, codes of {rates['search.code']:.0f} bytes",
        rates["search.code"],
        rates["search.share_probed_of_many"],
    )


def _bytes(
    pictures: int,
    preset: str,
    rates: Rates,
    vector_bytes: float,
    *,
    picture_bytes: float | None,
) -> dict[str, float]:
    picture = picture_bytes or rates["bytes.picture"]
    embedding = 4 * rates[f"networks.{preset}.dimension"]
    candidates = rates["job.queries_a_source"] * rates["job.candidates_a_query"]
    return {
        "source pictures": pictures * picture,
        "embeddings and metadata": pictures
        * (embedding + rates["bytes.structure"] + rates["bytes.metadata"]),
        "search index": pictures * (vector_bytes + rates["bytes.identifier"]),
        "pairs": pictures * rates["job.pairs_a_source"] * 2 * picture,
        "candidates": pictures * candidates * rates["bytes.candidate"],
    }
