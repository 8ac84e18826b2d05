"""Files are written whole or not at all, and sources are found or refused in one sentence."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
import time

import pytest

from elltwo.errors import DataError, OutputError
from elltwo.tables import files
from elltwo.tables.files import atomic_write, fingerprint, list_files


def test_a_file_is_replaced_whole_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "model.json"
    path.write_text("old")
    path.chmod(0o640)
    atomic_write(path, "new é\n")
    assert path.read_bytes() == "new é\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["model.json"]


def test_a_new_file_has_the_permissions_that_the_umask_grants(tmp_path):
    atomic_write(tmp_path / "a", b"\0\1")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_link_keeps_pointing_to_the_file_that_was_written(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    atomic_write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.parametrize("stage", ["write", "fsync", "replace"])
def test_a_failure_at_any_stage_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, stage):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    if stage == "write":
        monkeypatch.setattr(files.os, "fdopen", full)
    else:
        monkeypatch.setattr(files.os, stage, full)
    with pytest.raises(OutputError, match="the disk is full; free some space") as caught:
        atomic_write(path, "new")
    assert caught.value.exit_code == 1
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_a_file_larger_than_the_system_allows_is_refused_and_leaves_nothing(tmp_path):
    code = (
        "import resource, signal, sys; from elltwo.tables.files import atomic_write\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "from elltwo.errors import OutputError\n"
        "try: atomic_write(sys.argv[1], b'x' * 100_000)\n"
        "except OutputError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "big")], capture_output=True, text=True, check=True
    )
    assert "cannot write" in done.stdout
    assert "too large" in done.stdout
    assert os.listdir(tmp_path) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 10_000


def test_a_writer_killed_at_work_never_leaves_a_half_written_file(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"a" * 1_000_000)
    code = (
        "import sys; from elltwo.tables.files import atomic_write\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for letter in b'ba': atomic_write(sys.argv[1], bytes([letter]) * 1_000_000)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    writer.stdout.readline()
    time.sleep(0.1)
    writer.kill()
    writer.communicate()
    content = path.read_bytes()
    assert content in (b"a" * 1_000_000, b"b" * 1_000_000)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no/such/folder/x.json", "its folder does not exist; make the folder"),
        ("folder", "is not what the name says; give the name of a file"),
        ("file/inside", "is not what the name says; give the name of a file"),
    ],
)
def test_an_impossible_place_is_refused_with_a_remedy(tmp_path, name, sentence):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=sentence):
        atomic_write(tmp_path / name, "x")


def test_a_device_is_written_without_renaming():
    atomic_write("/dev/null", "x")
    assert not os.path.isfile("/dev/null")


def test_a_folder_is_read_in_order_without_hidden_files(tmp_path):
    for name in ("b.csv", "a.csv", ".c.csv", "_d.csv", "notes.md"):
        (tmp_path / name).write_text("x,y\n1,2\n")
    (tmp_path / "_tmp").mkdir()
    (tmp_path / "_tmp" / "e.csv").write_text("x,y\n1,2\n")
    assert [os.path.basename(f.path) for f in list_files(tmp_path)] == ["a.csv", "b.csv"]


def test_hive_folders_become_values(tmp_path):
    for year in (2021, 2020):
        (tmp_path / f"year={year}").mkdir()
        (tmp_path / f"year={year}" / "p.csv").write_text("x,y\n1,2\n")
    assert [f.partition for f in list_files(tmp_path)] == [(("year", "2020"),), (("year", "2021"),)]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("sales.cvs", r"there is no file .*: did you mean '.*sales\.csv'\?"),
        ("none/x.csv", "its folder .* does not exist"),
        ("*.parquet", "no file matches .*: check the pattern"),
        ("empty", "holds no table: elltwo reads CSV"),
        ("mixed", r"mixes csv and parquet files: name one kind"),
        ("table.xls", "is no table: elltwo reads CSV"),
    ],
)
def test_a_source_that_is_not_there_is_refused_with_a_remedy(tmp_path, name, sentence):
    (tmp_path / "sales.csv").write_text("x\n1\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "a.csv").write_text("x\n1\n")
    (tmp_path / "mixed" / "b.parquet").write_bytes(b"PAR1")
    (tmp_path / "table.xls").write_bytes(b"\xd0\xcf\x11\xe0\0\0\0\0")
    with pytest.raises(DataError, match=sentence):
        list_files(str(tmp_path / name))


def test_a_fingerprint_changes_with_the_content(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x\n1\n")
    before = fingerprint(str(path))
    assert fingerprint(str(path)) == before
    path.write_text("x\n12\n")
    assert fingerprint(str(path)) != before


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("memory://lake/day=*/part-*.parquet", 4),
        ("memory://lake/**/part-1.parquet", 2),
        ("memory://lake/", 4),
        ("memory://lake/day=2/part-0.parquet", 1),
    ],
)
def test_globs_and_folders_of_an_object_store_are_listed(address, expected):
    fsspec = pytest.importorskip("fsspec")
    import pyarrow as pa
    from pyarrow import parquet as pq

    from elltwo.tables.read import read_table

    store = fsspec.filesystem("memory")
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": [1.0, 2.0]}), sink)
    for day in (1, 2):
        for name in ("part-0.parquet", "part-1.parquet", "_done.parquet", "notes.md"):
            store.pipe(f"/lake/day={day}/{name}", sink.getvalue().to_pybytes())
    try:
        table = read_table(address)
        assert table.rows == 2 * expected
        assert ("day" in table.names) == (expected > 1)  # one file is read as it is, like a local one
        with pytest.raises(DataError, match="no file matches 'memory://lake/nothing"):
            read_table("memory://lake/nothing-*.csv")
    finally:
        store.rm("/lake", recursive=True)
