"""Puts together what a cluster on this machine needs, from Maven, PyPI and Go's modules.

    python cluster/assemble.py [job-server] [flink] [spark] [prism] [--folder DIR]

Without names all four are made. What is there already stays. Needs `mvn` and Java 17 for the job
servers of Flink and Spark, `pip` for Flink and `go` for Prism. Everything lies below DIR; nothing
else is changed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from places import BEAM_FLINK, BEAM_SPARK, FLINK, FLINK_LINE, PRISM, SPARK, Places, find_places

FLINK_SERVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"
SPARK_SERVER = "org.apache.beam.runners.spark.SparkJobServerDriver"
SERVICES = "META-INF/services/"
GUAVA = "33.1.0-jre"
"""Beam needs a newer one than Spark brings."""
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>pairloom</groupId><artifactId>job-server</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>{dependencies}</dependencies>
</project>
"""
_DATE = (2025, 1, 1, 0, 0, 0)


def make_job_server(places: Places) -> Path:
    """Beam's job server for Flink with all it depends on, as one jar."""
    wanted = [
        f"org.apache.beam:beam-runners-flink-{FLINK_LINE}:{BEAM_FLINK}",
        "org.slf4j:slf4j-simple:1.7.30",
    ]
    return _make_server(places, wanted, FLINK_SERVER, places.job_server)


def make_spark(places: Places) -> Path:
    """Beam's job server for Spark with Spark and all that both depend on, as one jar."""
    wanted = [
        f"org.apache.beam:beam-runners-spark-3:{BEAM_SPARK}",
        *(f"org.apache.spark:spark-{part}_2.12:{SPARK}" for part in ("core", "sql", "streaming")),
        f"com.google.guava:guava:{GUAVA}",
    ]
    return _make_server(places, wanted, SPARK_SERVER, places.spark_job_server)


def _make_server(places: Places, wanted: Iterable[str], main_class: str, made: Path) -> Path:
    """The jar `made`, of what is `wanted` of Maven as `group:artifact:version`."""
    fields = ("groupId", "artifactId", "version")
    dependencies = "".join(
        "<dependency>"
        + "".join(f"<{field}>{value}</{field}>" for field, value in zip(fields, each, strict=True))
        + "</dependency>"
        for each in (name.split(":") for name in wanted)
    )
    with tempfile.TemporaryDirectory(dir=places.root) as work:
        Path(work, "pom.xml").write_text(_POM.format(dependencies=dependencies))
        jars = Path(work, "jars")
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        subprocess.run(command, cwd=work, check=True)
        merged = Path(work, "merged.jar")
        merge_jars(sorted(jars.glob("*.jar")), merged, main_class)
        merged.replace(made)
    return made


def merge_jars(jars: Iterable[Path], merged: Path, main_class: str) -> None:
    """One jar of all classes; of files that several have the first, of service lists all lines.

    Signatures are left out: they are of jars that are no more. Folders are kept, for Spark looks
    for one.
    """
    services: dict[str, list[str]] = {}
    seen = {"META-INF/MANIFEST.MF"}
    with zipfile.ZipFile(merged, "w", zipfile.ZIP_DEFLATED) as out:
        manifest = f"Manifest-Version: 1.0\nMain-Class: {main_class}\nMulti-Release: true\n\n"
        out.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF", _DATE), manifest)
        for jar in jars:
            with zipfile.ZipFile(jar) as opened:
                for entry in opened.infolist():
                    name = entry.filename
                    if name.startswith(SERVICES) and not entry.is_dir():
                        lines = opened.read(entry).decode().splitlines()
                        services.setdefault(name, []).extend(lines)
                    elif name not in seen and not _is_signature(name):
                        seen.add(name)
                        out.writestr(
                            zipfile.ZipInfo(name, _DATE), opened.read(entry), zipfile.ZIP_DEFLATED
                        )
        for name, lines in sorted(services.items()):
            kept = dict.fromkeys(line for line in lines if line.strip())
            out.writestr(zipfile.ZipInfo(name, _DATE), "\n".join(kept) + "\n")


def _is_signature(name: str) -> bool:
    return name.startswith("META-INF/") and name.endswith((".SF", ".RSA", ".DSA", ".EC"))


def make_flink(places: Places) -> Path:
    """Flink's jars, as PyFlink's distribution on PyPI has them."""
    with tempfile.TemporaryDirectory(dir=places.root) as work:
        # It is only unpacked: building it would need more than is needed of it.
        download = ["pip", "download", "--no-deps", "--no-binary=:all:", "--no-build-isolation"]
        package = f"apache-flink-libraries=={FLINK}"
        subprocess.run([sys.executable, "-m", *download, "-q", "-d", work, package], check=True)
        [archive] = Path(work).glob("*.tar.gz")
        jars = Path(work, "lib")
        jars.mkdir()
        with tarfile.open(archive) as opened:
            for member in opened:
                path = Path(member.name)
                if path.suffix == ".jar" and path.parent.name == "lib" and member.isfile():
                    content = opened.extractfile(member)
                    assert content is not None
                    with (jars / path.name).open("wb") as file:
                        shutil.copyfileobj(content, file)
        if not list(jars.glob("flink-dist-*.jar")):
            raise SystemExit(f"{package} holds no flink-dist jar")
        jars.replace(places.flink)
    return places.flink


def make_prism(places: Places) -> Path:
    """Beam's Prism runner, built by Go."""
    with tempfile.TemporaryDirectory(dir=places.root) as work:
        module = f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{PRISM}"
        subprocess.run(["go", "install", module], env={**os.environ, "GOBIN": work}, check=True)
        Path(work, "prism").replace(places.prism)
    return places.prism


MAKERS: dict[str, tuple[str, Callable[[Places], Path]]] = {
    "job-server": ("mvn", make_job_server),
    "flink": ("java", make_flink),
    "spark": ("mvn", make_spark),
    "prism": ("go", make_prism),
}


def made(places: Places, name: str) -> Path:
    """Where the part `name` lies, whether it is made or not."""
    return {
        "job-server": places.job_server,
        "flink": places.flink,
        "spark": places.spark_job_server,
        "prism": places.prism,
    }[name]


def main() -> int:
    """Makes what is asked for and is not there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(MAKERS))
    parser.add_argument("--folder", help="where all of it lies (default ~/.cache/pairloom/cluster)")
    arguments = parser.parse_args()
    places = find_places(arguments.folder)
    places.root.mkdir(parents=True, exist_ok=True)
    for name in arguments.parts or MAKERS:
        if name not in MAKERS:
            parser.error(f"a part is one of {', '.join(MAKERS)}, got {name}")
        program, make = MAKERS[name]
        path = made(places, name)
        if not path.exists():
            if shutil.which(program) is None:
                raise SystemExit(f"{name} needs the program {program}, which is not on the PATH")
            path = make(places)
        print(f"{name}: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
