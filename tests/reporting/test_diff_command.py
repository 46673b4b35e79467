"""`prunec diff` on the command line, and what docs/report.md says of it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from models import Symbol, compiled, residual

from prunec.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
SHAPE = ("--input", "data=1,3,32,32")


@pytest.fixture
def pair(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net-symbol.json").write_bytes(residual())
    Path("small-symbol.json").write_bytes(compiled(residual()).pruned.model)


@pytest.mark.usefixtures("pair")
class TestDiff:
    def test_text(self, capsys):
        assert main(["diff", "net-symbol.json", "small-symbol.json", *SHAPE]) == 0
        out = capsys.readouterr().out
        assert out.startswith("net-symbol.json -> small-symbol.json\nof 57 nodes ")
        assert "group 0, net0_stem_conv_weight: 16 -> 8 channels\n" in out
        assert (
            "  net0_stem_conv (Convolution): num_filter 16 -> 8; (1, 16, 32, 32) -> (1, 8, 32, 32)\n" in out
        )

    def test_json(self, capsys):
        assert main(["diff", "net-symbol.json", "small-symbol.json", *SHAPE, "--format", "json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert [group["gone"] for group in document["groups"]] == [8, 8, 8, 8]

    def test_markdown(self, capsys):
        assert main(["diff", "net-symbol.json", "small-symbol.json", *SHAPE, "--format", "markdown"]) == 0
        assert "| 0 `net0_stem_conv_weight` | 16 → 8 |" in capsys.readouterr().out

    def test_exit_code(self, capsys):
        assert main(["diff", "net-symbol.json", "small-symbol.json", *SHAPE, "--exit-code"]) == 1
        assert main(["diff", "net-symbol.json", "net-symbol.json", *SHAPE, "--exit-code"]) == 0
        assert "nothing differs in what the models compute" in capsys.readouterr().out

    def test_files_that_differ_in_layout_only(self, capsys):
        Path("other-symbol.json").write_text(json.dumps(json.loads(residual())))
        assert main(["diff", "net-symbol.json", "other-symbol.json", *SHAPE]) == 0
        assert (
            "the files differ only in what does not change the result, such as layout or training hints\n"
            in capsys.readouterr().out
        )

    def test_without_the_input_s_shape_it_says_what_is_missing(self, capsys):
        symbol = Symbol()
        conv = symbol.convolution("conv", symbol.variable("data"), 16)
        weight = symbol.variable("dense_weight")
        # How many of its inputs belong to a channel depends on the size of the picture.
        symbol.node("FullyConnected", "dense", [conv, weight], num_hidden=10, no_bias=True)
        Path("net-symbol.json").write_bytes(symbol.json())
        Path("small-symbol.json").write_bytes(symbol.json().replace(b'"16"', b'"8"'))
        assert main(["diff", "net-symbol.json", "small-symbol.json"]) == 0
        out = capsys.readouterr().out
        assert "note: 16 channels stay for want of the shape of data, at node 'dense'" in out
        assert "--input data=" in out
        assert "num_filter 16 -> 8" in out

    def test_files_of_one_name_go_by_their_paths(self, capsys):
        Path("small").mkdir()
        shutil.move("small-symbol.json", "small/net-symbol.json")
        assert main(["diff", "net-symbol.json", "small/net-symbol.json", *SHAPE]) == 0
        assert capsys.readouterr().out.startswith("net-symbol.json -> small/net-symbol.json\n")

    def test_an_input_that_only_one_of_them_has(self, capsys):
        other = residual().replace(b'"data"', b'"pixels"')
        Path("other-symbol.json").write_bytes(other)
        shapes = [*SHAPE, "--input", "pixels=1,3,32,32"]
        assert main(["diff", "net-symbol.json", "other-symbol.json", *shapes]) == 0
        out = capsys.readouterr().out
        assert "- data (variable)" in out and "+ pixels (variable)" in out

    def test_an_input_that_neither_has(self, capsys):
        assert main(["diff", "net-symbol.json", "small-symbol.json", "--input", "dota=1,3,32,32"]) == 1
        error = capsys.readouterr().err
        assert "error[P307]" in error and "dota" in error

    def test_a_file_that_is_not_there(self, capsys):
        assert main(["diff", "net-symbol.json", "nowhere.json"]) == 1
        error = capsys.readouterr().err
        assert "error[P301]: cannot read the model" in error and "nowhere.json" in error

    def test_a_file_that_is_no_model(self, capsys):
        Path("other.json").write_text("[]")
        assert main(["diff", "net-symbol.json", "other.json"]) == 1
        assert "error[P305]: not an MXNet symbol file" in capsys.readouterr().err


def test_what_the_document_quotes_is_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples" / "digits" / "digits-symbol.json", tmp_path)
    shape = ["--input", "data=8,1,8,8"]
    assert main(["compile", "digits-symbol.json", *shape, "--out", "digits-pruned", "--quiet"]) == 0
    assert main(["diff", "digits-symbol.json", "digits-pruned/digits-symbol.json", *shape]) == 0
    out = capsys.readouterr().out
    quoted = re.search(r"^```\n(group 0.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert quoted is not None and quoted.group(1) in out


def test_the_pictures_of_the_document_are_there():
    pictures = re.findall(r"\]\((pictures/[^)]*)\)", DOCUMENT)
    assert len(pictures) == 2
    for picture in pictures:
        data = (ROOT / "docs" / picture).read_bytes()
        assert data.startswith(b"\x89PNG") and len(data) < 200_000
