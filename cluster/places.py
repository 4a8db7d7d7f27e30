"""Which versions the cluster is made of, and where everything of it lies: below one folder."""

import os
from dataclasses import dataclass
from pathlib import Path

BEAM_FLINK = "2.62.0"
"""Of Beam's runner for Flink; the newest whose job server can be put together from Maven."""
FLINK = "1.19.3"
FLINK_LINE = "1.19"
BEAM_SPARK = "2.62.0"
"""Of Beam's runner for Spark 3."""
SPARK = "3.5.3"
PRISM = "2.77.0"

DEFAULT_FOLDER = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "pairloom", "cluster")


@dataclass(frozen=True)
class Places:
    """The files below `root`, an absolute path."""

    root: Path

    @property
    def job_server(self) -> Path:
        """The one jar that Beam starts to hand jobs to Flink."""
        return self.root / f"beam-flink-{FLINK_LINE}-job-server-{BEAM_FLINK}.jar"

    @property
    def flink(self) -> Path:
        """Flink's own jars."""
        return self.root / f"flink-{FLINK}"

    @property
    def spark_job_server(self) -> Path:
        """The one jar that Beam starts to hand jobs to Spark; Spark itself is in it."""
        return self.root / f"beam-spark-{SPARK}-job-server-{BEAM_SPARK}.jar"

    @property
    def prism(self) -> Path:
        """The Prism program."""
        return self.root / f"prism-{PRISM}"

    @property
    def running(self) -> Path:
        """Process ids, configuration and logs of a cluster that is running."""
        return self.root / "running"


def find_places(folder: str | None) -> Places:
    """The places below `folder`, or below the default one."""
    return Places(Path(folder or DEFAULT_FOLDER).expanduser().absolute())
