import zipfile

from assemble import FLINK_SERVER, merge_jars


def jar(path, files):
    with zipfile.ZipFile(path, "w") as out:
        for name, text in files.items():
            out.writestr(name, text)
    return path


def test_a_merged_jar_has_all_classes_and_all_services(tmp_path):
    one = jar(
        tmp_path / "1.jar",
        {
            "META-INF/MANIFEST.MF": "Manifest-Version: 1.0\nMain-Class: Another\n\n",
            "META-INF/services/a.Runner": "one.Runner\n",
            "META-INF/ONE.SF": "signed",
            "one/": "",
            "one/A.class": "A of one",
            "both.txt": "of one",
        },
    )
    two = jar(
        tmp_path / "2.jar",
        {
            "META-INF/services/a.Runner": "two.Runner\none.Runner",
            "META-INF/TWO.RSA": "signed",
            "two/B.class": "B of two",
            "both.txt": "of two",
        },
    )
    merge_jars([one, two], tmp_path / "merged.jar", FLINK_SERVER)
    with zipfile.ZipFile(tmp_path / "merged.jar") as merged:
        found = {name: merged.read(name).decode() for name in merged.namelist()}
        assert merged.namelist()[0] == "META-INF/MANIFEST.MF"
        assert len(merged.namelist()) == len(found)
    assert f"Main-Class: {FLINK_SERVER}\n" in found.pop("META-INF/MANIFEST.MF")
    assert found == {
        "META-INF/services/a.Runner": "one.Runner\ntwo.Runner\n",
        "one/": "",
        "one/A.class": "A of one",
        "two/B.class": "B of two",
        "both.txt": "of one",
    }


def test_merging_gives_the_same_bytes_again(tmp_path):
    one = jar(tmp_path / "1.jar", {"a.class": "a" * 1000})
    merge_jars([one], tmp_path / "x.jar", "a.Server")
    merge_jars([one], tmp_path / "y.jar", "a.Server")
    assert (tmp_path / "x.jar").read_bytes() == (tmp_path / "y.jar").read_bytes()
