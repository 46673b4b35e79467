"""The fields of a smaller model's configuration, and what has none; no PyTorch is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

import numpy as np
import pytest
from cli.tools import run, write_network

from frontends.pytorch.archives import NEWEST
from prunec.embedded.safetensors import NewTensor, write_safetensors
from prunec.frontends.pytorch.config_fields import (
    Configuration,
    Kept,
    check_shapes,
    configuration,
    new_fields,
    written_fields,
)
from prunec.frontends.pytorch.config_table import family_of, known_families
from prunec.support.diagnostics import PrunecError, render

LLAMA = {
    "hidden_size": 64,
    "intermediate_size": 24,
    "model_type": "llama",
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
}
BERT = {"hidden_size": 12, "intermediate_size": 20, "num_attention_heads": 3}
PHI = {"hidden_size": 32, "intermediate_size": 10, "num_attention_heads": 4, "num_key_value_heads": 2}


def settings(kind: str, document: Mapping[str, Any]) -> Configuration:
    family = family_of(kind)
    assert family is not None
    return configuration(family, document, "config.json")


def kept(name: str, *axes: Sequence[Any]) -> Kept:
    """A parameter of which ``axes`` says for each axis the size, and then which positions stay."""
    shape = tuple(int(axis[0]) for axis in axes)
    positions: list[Optional[Any]] = [np.array(axis[1]) if len(axis) > 1 else None for axis in axes]
    return Kept(name, shape, tuple(positions))


def llama(
    widths: Sequence[Any] = (range(24), range(24)),
    heads: Sequence[int] = (0, 1, 2, 3),
    shared: Sequence[int] = (0, 1),
    hidden: Any = range(64),
) -> list[Kept]:
    """The parameters of two layers that keep some of their channels, heads and heads of keys and values."""
    rows, pairs = ([16 * head + i for head in own for i in range(16)] for own in (heads, shared))
    found = [kept("model.embed_tokens.weight", [96], [64, hidden])]
    for number, width in enumerate(widths):
        own, feed = f"model.layers.{number}.self_attn.", f"model.layers.{number}.mlp."
        found += [
            kept(f"{own}q_proj.weight", [64, rows], [64, hidden]),
            kept(f"{own}k_proj.weight", [32, pairs], [64, hidden]),
            kept(f"{own}v_proj.weight", [32, pairs], [64, hidden]),
            kept(f"{own}o_proj.weight", [64, hidden], [64, rows]),
            kept(f"{feed}gate_proj.weight", [24, width], [64, hidden]),
            kept(f"{feed}up_proj.weight", [24, width], [64, hidden]),
            kept(f"{feed}down_proj.weight", [64, hidden], [24, width]),
        ]
    return found


def refusal(call: Any) -> str:
    with pytest.raises(PrunecError) as caught:
        call()
    (found,) = caught.value.diagnostics
    return render(found)


# --- the table ---


@pytest.mark.parametrize("kind", known_families())
def test_every_part_of_an_axis_tells_at_most_one_field(kind: str) -> None:
    family = family_of(kind)
    assert family is not None and family.shapes
    told = set()
    for _, axes in family.shapes:
        for part in (part for parts in axes for part in parts):
            named = [own for own in part.factors if isinstance(own, str)]
            free = [name for name in named if not family.fields[name].fixed]
            assert set(named) <= set(family.fields) and part.divisor is None
            # Blocks are those of the last factor.
            assert len(free) <= 1 and named[: len(free)] == free
            told.update(named)
    assert told == set(family.fields)
    for first, second, why in family.divides:
        assert {first, second} <= set(family.fields) and why


def test_a_family_that_the_table_does_not_have() -> None:
    assert family_of("mamba") is None and "llama" in known_families()


# --- what can be said ---


def test_widths_and_heads_become_fields() -> None:
    own = settings("llama", LLAMA)
    parameters = llama([range(5, 20), range(15)], heads=(1, 3), shared=(0,))
    fields = new_fields(own, parameters)
    smaller = written_fields(own, LLAMA, fields)
    assert smaller == {
        **LLAMA,
        "intermediate_size": 15,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        # Half of the heads at the same hidden size: their width no longer follows from the others.
        "head_dim": 16,
    }
    assert list(smaller) == sorted(smaller)


def test_nothing_gone_changes_nothing() -> None:
    own = settings("llama", LLAMA)
    assert written_fields(own, LLAMA, new_fields(own, llama())) == LLAMA


def test_fewer_hidden_channels_keep_the_width_of_heads() -> None:
    own = settings("llama", LLAMA)
    fields = new_fields(own, llama(hidden=range(0, 64, 2)))
    assert written_fields(own, LLAMA, fields) == {**LLAMA, "hidden_size": 32, "head_dim": 16}


def test_fields_that_the_file_leaves_out_are_written_when_their_default_is_another() -> None:
    document = {"n_embd": 12, "n_head": 3}
    own = settings("gpt2", document)
    width = [48, range(40)]
    gone = [
        kept("transformer.h.0.mlp.c_fc.weight", [12], width),
        kept("transformer.h.0.mlp.c_fc.bias", width),
    ]
    assert written_fields(own, document, new_fields(own, gone)) == {**document, "n_inner": 40}


def test_parts_of_one_axis_are_looked_at_one_by_one() -> None:
    own = settings("phi3", PHI)
    halves = [20, [*range(7), *range(10, 17)]]
    fields = new_fields(own, [kept("model.layers.0.mlp.gate_up_proj.weight", halves, [32])])
    assert fields["intermediate_size"] == 7
    uneven = [20, [*range(8), *range(10, 16)]]
    text = refusal(lambda: new_fields(own, [kept("model.layers.0.mlp.gate_up_proj.weight", uneven, [32])]))
    assert "intermediate_size is 6" in text and "intermediate_size is 8" in text
    # One head of the queries' four, and as many of keys as of values.
    left = [64, [*range(16), *range(32, 40), *range(48, 56)]]
    fields = new_fields(own, [kept("model.layers.0.self_attn.qkv_proj.weight", left, [32])])
    assert (fields["num_attention_heads"], fields["num_key_value_heads"]) == (2, 1)


# --- what cannot ---


def test_layers_that_differ_are_named_with_what_to_do() -> None:
    text = refusal(lambda: new_fields(settings("llama", LLAMA), llama([range(15), range(14)])))
    assert "P354" in text and "intermediate_size is 14 in model.layers.1.mlp" in text
    assert (
        'policy "model.layers.*.mlp.gate_proj.weight", "model.layers.*.mlp.up_proj.weight" { uniform }'
        in text
    )
    assert "--ratio" in text and "{ hold }" in text


def test_channels_inside_of_heads_are_not_taken_for_heads() -> None:
    # Three quarters of each head are as many rows as three heads.
    inside = [64, [row for row in range(64) if row % 16 < 12]]
    parameters = llama()[1:] + [kept("model.layers.2.self_attn.q_proj.weight", inside, [64])]
    text = refusal(lambda: new_fields(settings("llama", LLAMA), parameters))
    assert "head_dim stays 16" in text and "model.layers.2.self_attn.q_proj.weight" in text
    assert "model.layers.0" not in text


def test_heads_have_to_serve_equally_many() -> None:
    document = {**LLAMA, "num_attention_heads": 4, "num_key_value_heads": 2}
    text = refusal(lambda: new_fields(settings("qwen2", document), llama(heads=(0, 1, 2))))
    assert "num_attention_heads 3 is no multiple of num_key_value_heads 2" in text
    # A configuration of Llama is refused where the hidden size is no multiple of the number of heads.
    more = {**LLAMA, "num_key_value_heads": 1, "head_dim": 16}
    gone = [kept("model.layers.0.self_attn.q_proj.weight", [64, range(48)], [64])]
    assert new_fields(settings("mistral", more), gone)["num_attention_heads"] == 3
    assert "hidden_size 64 is no multiple" in refusal(lambda: new_fields(settings("llama", more), gone))


@pytest.mark.parametrize(("hidden", "heads"), [(range(12), 2), (range(9), 3)])
def test_the_width_of_heads_may_follow_from_other_fields(hidden: Any, heads: int) -> None:
    rows = [12, range(4 * heads)]
    own = settings("bert", BERT)
    gone = [kept("bert.encoder.layer.0.attention.self.query.weight", rows, [12, hidden])]
    text = refusal(lambda: new_fields(own, gone))
    assert "head_dim is hidden_size / num_attention_heads, and has to stay 4" in text
    both = [kept("bert.encoder.layer.0.attention.self.query.weight", [12, range(8)], [12, range(4, 12)])]
    fields = new_fields(own, both)
    assert written_fields(own, BERT, fields) == {**BERT, "hidden_size": 8, "num_attention_heads": 2}


def test_fields_that_cannot_change_say_why() -> None:
    document = {**LLAMA, "head_dim": 16}
    text = refusal(lambda: new_fields(settings("gemma", document), llama(hidden=range(60))))
    assert "hidden_size stays 64: embeddings are multiplied by its root" in text
    longer = {**PHI, "rope_scaling": {"long_factor": [1.0], "type": "longrope"}}
    gone = [kept("model.layers.0.self_attn.o_proj.weight", [32], [32, range(16)])]
    assert new_fields(settings("phi3", PHI), gone)["num_attention_heads"] == 2
    assert "long_factor" in refusal(lambda: new_fields(settings("phi3", longer), gone))


def test_an_axis_that_no_field_tells() -> None:
    own = settings("llama", LLAMA)
    for parameter in (
        kept("model.embed_tokens.weight", [96, range(90)], [64]),
        kept("model.layers.0.extra.weight", [8, range(7)]),
    ):
        text = refusal(lambda parameter=parameter: new_fields(own, [parameter]))  # type: ignore[misc]
        assert "no field of llama tells" in text and parameter.name in text
    assert new_fields(own, [kept("model.layers.0.extra.weight", [8])]) == own.fields


# --- files that do not fit ---


@pytest.mark.parametrize("value", ["64", 0, -1, 2.5, True, None, [64]])
def test_a_field_that_is_no_size(value: Any) -> None:
    text = refusal(lambda: settings("llama", {**LLAMA, "hidden_size": value}))
    assert "P353" in text and "hidden_size" in text


def test_a_width_of_heads_that_is_not_whole() -> None:
    assert "P353" in refusal(lambda: settings("bert", {**BERT, "num_attention_heads": 5}))


def test_shapes_that_the_configuration_does_not_say() -> None:
    own = settings("llama", LLAMA)
    check_shapes(own, {parameter.name: parameter.shape for parameter in llama()})
    text = refusal(lambda: check_shapes(own, {"model.layers.1.mlp.up_proj.weight": (25, 64)}))
    assert "axis 0 of model.layers.1.mlp.up_proj.weight has 25 positions; intermediate_size is 24" in text
    assert "P353" in refusal(lambda: check_shapes(own, {"model.norm.weight": (64, 1)}))


def test_names_of_other_versions_and_of_the_model_inside() -> None:
    family = family_of("vit")
    assert family is not None
    old = "vit.encoder.layer.3.attention.output.dense.weight"
    assert family.plain(old) == family.plain("layers.3.attention.o_proj.weight")
    bert = family_of("bert")
    assert bert is not None and bert.is_unread("bert.embeddings.position_ids")
    assert (
        bert.axes("embeddings.LayerNorm.gamma") == bert.axes("bert.embeddings.LayerNorm.weight") is not None
    )


# --- folders ---


def write_folder(path: Path, kind: str = "llama") -> Path:
    """A folder of one tensor."""
    path.mkdir()
    (path / "config.json").write_text(json.dumps({**LLAMA, "model_type": kind}))
    with open(path / "model.safetensors", "wb") as file:
        write_safetensors(file, {"norm.weight": NewTensor("float32", (2,), [b"\0" * 8])})
    return path


def test_a_folder_of_another_model_is_refused_without_pytorch(tmp_path: Path, capsys: Any) -> None:
    folder = write_folder(tmp_path / "hub")
    words = ("compile", NEWEST, "--out", tmp_path / "out", "--transformers")
    status, _, err = run(capsys, *words, folder)
    assert status == 1 and "P352" in err and "'norm.weight'" in err
    status, _, err = run(capsys, *words, write_folder(tmp_path / "other", "mamba"))
    assert status == 1 and "P351" in err and "llama, qwen2" in err
    status, _, err = run(capsys, *words, tmp_path / "nothing")
    assert status == 1 and "P350" in err and not (tmp_path / "out").exists()


def test_models_of_other_libraries_have_no_such_folders(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    words = ("--out", tmp_path / "out", "--transformers", write_folder(tmp_path / "hub"))
    status, _, err = run(capsys, "compile", tmp_path / "net-symbol.json", *words)
    assert status == 2 and "argument --transformers" in err
