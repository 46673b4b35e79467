"""The slicing script, run as its users run it."""

from __future__ import annotations

import argparse
import ast
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from prunec.embedded.slices import Gather, ParameterSlice
from prunec.rewriting.slicing_script import render_script
from rewriting.slice_examples import MAGIC, container, example, expected, module, parameter_file, record

HOSTILE = [
    '"""',
    "'''\"\"\"",
    "a\nimport os\n",
    "back\\slash\\",
    "\u202eevil\u2066",
    "{{ x }}{% raw %}",
    "é\ud800",
    "",
]


# --- running the script -------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    slices, arrays = example()
    dtypes = {name: array.dtype for name, array in arrays.items()}
    (tmp_path / "slice_params.py").write_text(render_script(slices, "net-symbol.json", "ab" * 32, dtypes))
    (tmp_path / "in.params").write_bytes(parameter_file(arrays))
    return tmp_path


def run(folder: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """The script as a program; ``before`` is code that runs ahead of it in the same process."""
    start = f"import runpy, sys; sys.argv[0] = 'slice_params.py'\n{before}\n"
    start += "runpy.run_path('slice_params.py', run_name='__main__')"
    program = ["-c", start] if before else ["slice_params.py"]
    return subprocess.run(
        [sys.executable, *program, *arguments], cwd=folder, capture_output=True, text=True, timeout=60
    )


def failure(folder: Path, *arguments: str, before: str = "") -> str:
    """The error text of a run that must fail cleanly: nothing new in the folder, no traceback."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = run(folder, *arguments, before=before)
    assert result.returncode != 0 and result.stdout == ""
    assert "Traceback" not in result.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    return result.stderr


@pytest.mark.parametrize("version", [0, 1, 2, 3])
@pytest.mark.parametrize("prefixes", [("", ""), ("arg:", "aux:")])
def test_output_is_the_file_of_the_kept_elements(
    folder: Path, version: int, prefixes: tuple[str, str]
) -> None:
    slices, arrays = example()
    by_name = {parameter.name: parameter for parameter in slices}
    kept = {n: expected(by_name[n], a) if n in by_name else a for n, a in arrays.items()}
    prefix = {name: prefixes[name == "variance"] + name for name in arrays}
    (folder / "in.params").write_bytes(parameter_file({prefix[n]: a for n, a in arrays.items()}, version))
    result = run(folder, "in.params", "out.params")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "5 of 7 arrays sliced, 1793 of 4217 elements kept\n"
    assert (folder / "out.params").read_bytes() == parameter_file(
        {prefix[n]: a for n, a in kept.items()}, version
    )
    assert sorted(path.name for path in folder.iterdir()) == ["in.params", "out.params", "slice_params.py"]


def test_check_and_dry_run_write_nothing(folder: Path) -> None:
    checked = run(folder, "--check", "in.params")
    assert checked.stdout == "all of the 5 parameters to slice are there\n"
    dry = run(folder, "--dry-run", "in.params", "out.params")
    assert dry.stdout.splitlines()[1:3] == [
        "'conv': (70, 6, 3, 3) -> (60, 3, 3, 3)",
        "'grouped': (12, 6, 2, 2) -> (8, 3, 2, 2)",
    ]
    assert (checked.returncode, dry.returncode) == (0, 0)
    assert sorted(path.name for path in folder.iterdir()) == ["in.params", "slice_params.py"]


def test_all_problems_are_told_at_once(folder: Path) -> None:
    _, arrays = example()
    slices, _ = example()
    arrays["conv"] = expected(slices[1], arrays["conv"])
    arrays["grouped"] = arrays["grouped"].astype("float32")
    arrays["dense"] = arrays["dense"].reshape(5, 4, 6)
    del arrays["bias"]
    arrays["arg:variance"] = arrays["variance"]
    (folder / "in.params").write_bytes(parameter_file(arrays))
    for arguments in (["in.params", "out.params"], ["--check", "in.params"]):
        assert failure(folder, *arguments).splitlines() == [
            "error: 'bias' is missing",
            "error: 'conv' has the shape (60, 3, 3, 3), not (70, 6, 3, 3) (it is sliced already)",
            "error: 'grouped' is of type float32, not float16",
            "error: 'dense' has the shape (5, 4, 6), not (5, 24)",
            "error: 'variance' is there 2 times",
            "error: nothing was written; the parameters must be those of 'net-symbol.json'",
        ]


def test_the_input_is_never_overwritten(folder: Path) -> None:
    os.symlink("in.params", folder / "link.params")
    os.link(folder / "in.params", folder / "hard.params")
    for output in ("in.params", "./in.params", "link.params", "hard.params"):
        assert failure(folder, "in.params", output) == "error: the output is the input; give another file\n"
    (folder / "out").mkdir()
    message = run(folder, "in.params", "out").stderr
    assert message == "error: the output is there and not a file; give another name\n"


def test_an_output_behind_a_link_is_written_where_it_is(folder: Path) -> None:
    (folder / "real.params").write_bytes(b"old")
    os.symlink("real.params", folder / "link.params")
    assert run(folder, "in.params", "link.params").returncode == 0
    assert (folder / "link.params").is_symlink()
    assert (folder / "real.params").stat().st_size > 100


def test_files_that_cannot_be_opened(folder: Path) -> None:
    assert failure(folder, "no.params", "out.params") == (
        "error: 'no.params': No such file or directory; nothing was written\n"
    )
    assert "No such file or directory; nothing was written" in failure(folder, "in.params", "no/out.params")
    assert "error: OUT.params is missing" in failure(folder, "in.params")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "this is not an MXNet parameter file"),
        (b"PK\x03\x04" + bytes(60), "this is not an MXNet parameter file"),
        (struct.pack("<QQQ", 0x112, 0, 1 << 60), f"the file is damaged: it announces {1 << 60} arrays"),
        (container([struct.pack("<I", 900)], [b"x"]), "the file is damaged: an array of 900 axes at byte 28"),
        (container([struct.pack("<IiiqqIii", MAGIC[2], 0, 2, 1 << 31, 1 << 31, 1, 0, 0)], [b"x"]),
         "the file is cut off or damaged at byte 64: 18446744073709551616 more bytes announced"),
        (container([struct.pack("<Iiiqiii", MAGIC[2], 0, 1, 1, 1, 0, 77)], [b"x"]),
         "the file is damaged: the unknown element type 77 at byte 52"),
        (container([struct.pack("<Ii", MAGIC[2], 9)], [b"x"]),
         "the file is damaged: the unknown storage type 9 at byte 28"),
        (container([record(np.zeros(3, "float32"), 2)], []),
         "the file holds 1 arrays and 0 names; every array needs a name"),
    ],
)  # fmt: skip
def test_damaged_files(folder: Path, data: bytes, message: str) -> None:
    (folder / "in.params").write_bytes(data)
    assert failure(folder, "in.params", "out.params") == f"error: {message}\n"


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    slices = [ParameterSlice("w", (4,), (4,), (Gather(0, (), np.array([1])),), (1,))]
    script = module(render_script(slices, "m", ""), tmp_path)
    whole = parameter_file({"w": np.arange(4, dtype="float32"), "v": np.zeros((1, 2), "int8")})
    for length in range(len(whole)):
        (tmp_path / "in.params").write_bytes(whole[:length])
        options = argparse.Namespace(
            input=tmp_path / "in.params", output=tmp_path / "o", check=False, dry_run=False
        )
        with pytest.raises(
            script.Problem, match=r"^this is not an MXNet|^the file is cut off or damaged at byte"
        ):
            script.run(options)
    assert not (tmp_path / "o").exists()


def test_sparse_and_empty_arrays_are_copied_but_not_sliced(folder: Path) -> None:
    _, arrays = example()
    row_sparse = struct.pack("<Iiiqqiqqiiiiiq", MAGIC[2], 1, 2, 1, 3, 2, 9, 3, 1, 0, 0, 6, 1, 1)
    row_sparse += np.arange(3, dtype="float32").tobytes() + struct.pack("<q", 4)
    empty = struct.pack("<Iii", MAGIC[2], -1, 0) + struct.pack("<Iii", MAGIC[2], 0, 0)
    records = [record(array, 2) for array in arrays.values()]
    names = [name.encode() for name in arrays]
    (folder / "in.params").write_bytes(
        container([row_sparse, *records, empty[:12], empty[12:]], [b"s", *names, b"n", b"e"])
    )
    assert run(folder, "in.params", "out.params").returncode == 0
    output = (folder / "out.params").read_bytes()
    assert output[24:].startswith(row_sparse) and empty + struct.pack("<Q", 10) in output
    records[1:3] = [row_sparse, empty[12:]]
    (folder / "in.params").write_bytes(container(records, names))
    assert failure(folder, "in.params", "out.params").splitlines()[:2] == [
        "error: 'bias' is stored as a sparse array; save it as a dense one",
        "error: 'bias' has the shape (9, 3), not (9,)",
    ]


# --- runs that are stopped ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stop", "code", "message"),
    [("SIGINT", 130, "error: interrupted; nothing was written\n"), ("SIGTERM", 143, ""), ("SIGHUP", 129, "")],
)
def test_an_interrupted_run_leaves_nothing(folder: Path, stop: str, code: int, message: str) -> None:
    if not hasattr(signal, stop):
        pytest.skip(f"{stop} is not a signal of this system")
    # A process started in the background may ignore interrupts.
    stopping = "import os, signal, numpy\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    stopping += f"numpy.ascontiguousarray = lambda array: os.kill(os.getpid(), signal.{stop})"
    (folder / "out.params").write_bytes(b"what was there")
    assert failure(folder, "in.params", "out.params", before=stopping) == message
    assert run(folder, "in.params", "out.params", before=stopping).returncode == code


def test_a_full_disk_leaves_nothing(folder: Path) -> None:
    pytest.importorskip("resource", reason="needs limits on the size of files")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))"
    message = failure(folder, "in.params", "out.params", before=limit)
    assert message == "error: File too large; nothing was written\n"


def test_memory_stays_near_the_largest_array(tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc to measure memory")
    shape = (1024, 4096, 2, 2)  # 64 MB
    odd = np.arange(1, 1024, 2)
    wanted = ParameterSlice("w", shape, shape, (Gather(0, (), odd), Gather(1, (), odd)), (512, 512, 2, 2))
    (tmp_path / "slice_params.py").write_text(render_script([wanted], "m", ""))
    (tmp_path / "in.params").write_bytes(
        parameter_file({"w": np.ones(shape, "float32"), "v": np.ones(shape, "float32")})
    )
    peak = "import atexit\n"
    peak += "atexit.register(lambda: print(*[line for line in open('/proc/self/status') if 'VmHWM' in line]))"
    result = run(tmp_path, "in.params", "out.params", before=peak)
    assert result.returncode == 0
    assert int(result.stdout.splitlines()[1].split()[1]) * 1024 < 3 * (64 << 20) + (60 << 20)


# --- the text -----------------------------------------------------------------------------------


def test_names_cannot_break_out_of_the_script(tmp_path: Path) -> None:
    slices = [ParameterSlice(name, (3,), (3,), (Gather(0, (), np.array([0, 2])),), (2,)) for name in HOSTILE]
    for model in HOSTILE:
        text = render_script(slices, model, model, {"": model})
        assert text.isascii() and text.count("\n") == render_script(slices, "m", "d", {}).count("\n")
        loaded = module(text, tmp_path)
        assert list(loaded.PARAMETERS) == HOSTILE
        assert (loaded.MODEL, loaded.MODEL_SHA256, loaded.PARAMETERS[""][0]) == (model, model, model)
    arrays = {name: np.arange(3, dtype="float32") for name in HOSTILE if "\ud800" not in name}
    (tmp_path / "slice_params.py").write_text(text)
    (tmp_path / "in.params").write_bytes(parameter_file(arrays))
    assert "error: '\\xe9\\ud800' is missing" in run(tmp_path, "in.params", "out.params").stderr


def test_text_is_deterministic_readable_and_old_enough() -> None:
    slices, arrays = example()
    dtypes = {name: array.dtype for name, array in arrays.items()}
    text = render_script(slices, "net-symbol.json", "ab" * 32, dtypes)
    assert text == render_script(example()[0], "net-symbol.json", "ab" * 32, dict(reversed(dtypes.items())))
    ast.parse(text, feature_version=(3, 9))
    assert 'MODEL = "net-symbol.json"\nMODEL_SHA256 = "abab' in text
    assert '    # 60 of 70\n    "k2": [\n        "0:30, 40:70",\n    ],\n' in text
    assert '    # 2 of 3 in each of 4 rows\n    "k5": [\n        "0:2",\n        "0, 2",\n' in text
    assert '    "conv": ("float64", (70, 6, 3, 3), (60, 3, 3, 3), [(0, "k2"), (1, "k3")]),\n' in text
    assert '[(2, "k4", (0,)), (1, "k5", (0,))], (4, 3, 6, 2, 2)),\n' in text
    assert text.endswith('", ".params", run))\n')


def test_same_positions_are_written_once_and_long_ones_wrapped() -> None:
    kept = np.flatnonzero(np.random.default_rng(3).random(4096) < 0.5)
    slices = [ParameterSlice(n, (4096,), (4096,), (Gather(0, (), kept),), (len(kept),)) for n in "ab"]
    text = render_script(slices, "m", "")
    assert '"k1"' in text and '"k2"' not in text
    assert max(map(len, text.splitlines())) <= 110


def test_a_parameter_listed_twice_is_refused() -> None:
    slices, _ = example()
    with pytest.raises(ValueError, match="a parameter is listed twice"):
        render_script([slices[0], slices[0]], "m", "")


# --- the real framework and real files ---------------------------------------------------------


def test_mxnet_reads_the_output(folder: Path) -> None:
    mx = pytest.importorskip("mxnet", reason="needs MXNet")
    slices, arrays = example()
    mx.nd.save(
        str(folder / "in.params"), {f"arg:{n}": mx.nd.array(a, dtype=a.dtype) for n, a in arrays.items()}
    )
    assert run(folder, "in.params", "out.params").returncode == 0
    loaded = mx.nd.load(str(folder / "out.params"))
    assert set(loaded) == {f"arg:{name}" for name in arrays}
    for parameter in slices:
        assert np.array_equal(
            loaded[f"arg:{parameter.name}"].asnumpy(), expected(parameter, arrays[parameter.name])
        )


def test_files_of_strangers_are_copied_byte_for_byte(tmp_path: Path) -> None:
    corpus = Path(__file__).parents[3] / "shared" / "corpus" / "wild"
    if not corpus.is_dir():
        pytest.skip("needs a corpus of public models beside the repository")
    script = module(render_script([], "m", ""), tmp_path)
    files = sorted(corpus.rglob("*.params"))
    for path in files:
        options = argparse.Namespace(input=path, output=tmp_path / "o", check=False, dry_run=False)
        script.run(options)
        assert (tmp_path / "o").read_bytes() == path.read_bytes(), path
    assert len(files) > 20
