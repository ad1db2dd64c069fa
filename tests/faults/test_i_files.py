"""I02, I03, I04: kills, altered bytes and full disks never pass for results."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

import doseopt_bayes as dob
from doseopt_bayes.errors import ResultsError
from doseopt_bayes.files import PART, sweep, write_whole
from doseopt_bayes.report import bundle
from doseopt_bayes.report import folder as results_folder
from doseopt_bayes.report.manifest import read_manifest, sealed

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 4_000_000
WRITE = (
    "import itertools, pathlib, sys; from doseopt_bayes.files import write_whole\n"
    f"path = pathlib.Path(sys.argv[1]); a, b = b'a' * {SIZE}, b'b' * {SIZE}\n"
    "print('go', flush=True)\n"
    "for content in itertools.cycle((a, b)): write_whole(path, content)"
)
# a disk of 64 kB, then one that is read-only: only root of its own name space may mount
MOUNT = (
    "mount -t tmpfs -o size=64k none {folder} && {python} -c '{code}' {folder}; "
    "mount -o remount,ro {folder} && {python} -c '{code}' {folder}; ls -A {folder}"
)
LARGE = (
    "import pathlib, sys; from doseopt_bayes.files import write_whole\n"
    'try: write_whole(pathlib.Path(sys.argv[1]) / "results.nc", bytes(1_000_000))\n'
    "except Exception as e: print(type(e).__name__, e)"
)


def files_of(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def refused(folder: Path) -> str:
    with pytest.raises(ResultsError) as e:
        dob.load_results(folder)
    assert "run the analysis again" in str(e.value)
    return str(e.value)


def test_i02_twenty_kills_never_leave_half_a_file_under_its_name(tmp_path):
    rng = np.random.default_rng(1)
    path = tmp_path / "results.nc"
    contents, parts = set(), 0
    for _ in range(20):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout.readline() == "go\n"
        time.sleep(float(rng.uniform(0.005, 0.12)))
        writer.kill()
        writer.wait()
        writer.stdout.close()
        if path.exists():
            content = path.read_bytes()
            assert len(content) == SIZE
            assert len(set(content)) == 1
            contents.add(content[:1])
        parts += len(list(tmp_path.glob(f".*{PART}")))
        sweep(tmp_path)
        assert files_of(tmp_path) == [path] * path.exists()
    assert contents == {b"a", b"b"}
    assert parts > 0  # some kills did come in the midst of a write


def test_i02_a_save_that_breaks_off_at_any_file_is_not_taken_for_whole(analysis, saved, tmp_path, monkeypatch):  # fmt: skip
    """Old and new files side by side do not match the manifest, which is written last."""
    folder = tmp_path / "out"
    shutil.copytree(saved, folder)
    monkeypatch.setattr(bundle, "drawings", lambda *_: ())
    monkeypatch.setattr(bundle, "render", lambda *_, **__: "another report")
    real = results_folder.write_whole

    def breaks_off(path, content):
        if path.name == "results.nc":
            raise KeyboardInterrupt
        return real(path, content)

    monkeypatch.setattr(results_folder, "write_whole", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        dob.save(analysis, folder)
    assert "report.html is not the file that was written" in refused(folder)
    monkeypatch.setattr(results_folder, "write_whole", real)
    dob.save(analysis, folder)
    dob.load_results(folder)


def test_i03_every_flipped_bit_is_refused_with_its_file_named(saved):
    rng = np.random.default_rng(2)
    files = files_of(saved)
    small = [p for p in files if p.name in ("manifest.json", "decision.csv", "spec.toml")]
    chosen = [*files, *small * 20, *rng.choice(np.array(files, dtype=object), 200)][:200]
    assert {p.name for p in small} <= {p.name for p in chosen}
    assert len(chosen) == 200
    for path in chosen:
        before = path.read_bytes()
        at, bit = int(rng.integers(len(before))), int(rng.integers(8))
        with path.open("r+b") as f:
            f.seek(at)
            f.write(bytes([before[at] ^ 1 << bit]))
        assert path.relative_to(saved).as_posix() in refused(saved), (at, bit)
        path.write_bytes(before)
    dob.load_results(saved)


def test_i03_every_bit_of_the_manifest_counts(saved):
    """Also those of its words, of its layout and of its own sum."""
    path = saved / "manifest.json"
    before = path.read_bytes()
    try:
        for at in range(len(before)):
            changed = bytearray(before)
            changed[at] ^= 1 << at % 8
            path.write_bytes(bytes(changed))
            with pytest.raises(ResultsError, match=r"manifest\.json"):
                read_manifest(saved)
    finally:
        path.write_bytes(before)


def test_i03_truncated_deleted_and_swapped_files_are_refused(saved, tmp_path):
    rng = np.random.default_rng(3)
    folder = tmp_path / "copy"
    shutil.copytree(saved, folder)
    files = files_of(folder)
    for i in range(60):
        path = files[i % len(files)]
        before = path.read_bytes()
        path.write_bytes(before[: int(rng.integers(len(before)))])
        assert path.relative_to(folder).as_posix() in refused(folder)
        path.write_bytes(before)
    for path in files:
        before = path.read_bytes()
        path.unlink()
        if path.name == "manifest.json":
            with pytest.raises(ResultsError, match=r"has no manifest\.json"):
                dob.load_results(folder)
        else:
            assert f"{path.relative_to(folder).as_posix()} is missing" in refused(folder)
        path.write_bytes(before)
    for _ in range(20):
        one, two = (files[i] for i in rng.choice(len(files), 2, replace=False))
        a, b = one.read_bytes(), two.read_bytes()
        one.write_bytes(b)
        two.write_bytes(a)
        said = refused(folder)
        assert any(p.relative_to(folder).as_posix() in said for p in (one, two))
        one.write_bytes(a)
        two.write_bytes(b)
    dob.load_results(folder)


def test_i03_results_of_another_schema_are_refused(saved, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(saved, folder)
    content = read_manifest(folder)
    for schema in (1, 3):
        (folder / "manifest.json").write_bytes(sealed(content | {"schema": schema}))
        with pytest.raises(ResultsError, match=f"has schema {schema}; this version reads schema 2"):
            dob.load_results(folder)


def test_i04_a_full_or_read_only_disk_is_said_with_path_and_bytes(tmp_path):
    command = MOUNT.format(folder=tmp_path, python=sys.executable, code=LARGE)
    own = shutil.which("unshare") or pytest.skip("this machine has no name spaces")
    alone = [own, "-rm", "sh", "-c", command]
    done = subprocess.run(alone, capture_output=True, text=True, check=False)
    if "ResultsError" not in done.stdout:
        pytest.skip("this machine lets nobody mount a disk")
    said = done.stdout.splitlines()
    named = f"ResultsError cannot write '{tmp_path}/results.nc' (1,000,000 bytes): "
    assert said[0] == f"{named}No space left on device"
    assert "free that much space, or name a folder on another disk" in said[1]
    assert said[2] == f"{named}Read-only file system"
    assert "name a folder that you may write to" in said[3]
    assert said[4:] == []  # nothing half-written is left


def test_i04_a_limit_on_file_size_leaves_the_old_file(tmp_path):
    write_whole(tmp_path / "results.nc", b"old")
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n{LARGE}"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert f"cannot write '{tmp_path}/results.nc' (1,000,000 bytes): File too large" in done.stdout
    assert (tmp_path / "results.nc").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["results.nc"]
