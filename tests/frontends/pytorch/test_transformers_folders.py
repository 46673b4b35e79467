"""Folders of transformers beside a smaller program: they load, and compute what the masked original does."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch")
transformers = pytest.importorskip("transformers", reason="needs transformers")

from cli.tools import run  # noqa: E402

from prunec.analysis.analyse import analyse  # noqa: E402
from prunec.embedded.safetensors import NewTensor, read_safetensors, read_tensor, write_safetensors  # noqa: E402
from prunec.frontends.pytorch.config_fields import check_shapes, configuration  # noqa: E402
from prunec.frontends.pytorch.config_table import family_of, known_families  # noqa: E402
from prunec.frontends.pytorch.model import read_model  # noqa: E402
from prunec.language.library import load  # noqa: E402
from prunec.planning.planfile import read_plan  # noqa: E402
from prunec.planning.policy import read_policy, regrouped  # noqa: E402
from prunec.rewriting.emit import emit  # noqa: E402
from prunec.rewriting.slicing import mask_array  # noqa: E402

DECODER = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": None,
}
ENCODER = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}
IDS = torch.randint(2, 96, (2, 8), generator=torch.Generator().manual_seed(1))
#: What is computed of what is left is exactly what the masked original computes.
EXACT = ("--strict", "--no-restore")
WHOLE = 'policy "model.layers.*" { uniform }\npolicy "view*", "mul*", "scaled_*" { whole rows }\n'


@dataclass(frozen=True)
class Saved:
    """A module, its program and its folder."""

    module: Any
    program: Path
    folder: Path


def saved(module: Any, place: Path, options: Optional[Mapping[str, Any]] = None, **example: Any) -> Saved:
    """A module as a program and as a folder."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-0.3, 0.3)
    module.eval()
    own = Saved(module, place / "net.pt2", place / "hub")
    module.save_pretrained(own.folder, **(options or {}))
    with torch.no_grad():
        program = torch.export.export(module, (), {**example, "return_dict": False}, strict=False)
    torch.export.save(program, own.program)
    return own


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    settings = transformers.LlamaConfig(**DECODER, tie_word_embeddings=False)
    module = transformers.LlamaForCausalLM(settings)
    return saved(module, tmp_path_factory.mktemp("llama"), input_ids=IDS, use_cache=False)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    settings = transformers.Qwen2Config(**DECODER, tie_word_embeddings=True)
    module = transformers.Qwen2ForCausalLM(settings)
    place = tmp_path_factory.mktemp("qwen2")
    return saved(module, place, {"max_shard_size": "60KB"}, input_ids=IDS, use_cache=False)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    module = transformers.BertForSequenceClassification(transformers.BertConfig(**ENCODER))
    return saved(module, tmp_path_factory.mktemp("bert"), input_ids=IDS)


def compiled(own: Saved, out: Path, capsys: Any, policy: str, *words: object) -> tuple[int, str]:
    (out.parent / "my.prune").write_text(policy)
    options = ["--policy", out.parent / "my.prune", "--transformers", own.folder, "--out", out, *words]
    status, _, err = run(capsys, "compile", own.program, *options)
    return status, err


def masked(own: Saved, out: Path) -> Any:
    """The original module without what the plan takes."""
    policy = read_policy(out.parent / "my.prune", analyse(read_model(own.program), load(["aten"]), True))
    analysis = analyse(read_model(own.program), load(["aten"]), True, whole=policy.whole)
    analysis = regrouped(analysis, policy)
    removed = np.zeros(analysis.solution.unit_count, bool)
    for removal in read_plan(out / "plan.json").removals:
        removed[analysis.solution.groups[removal.group].units[list(removal.indices)]] = True
    assert removed.any()
    state = own.module.state_dict()
    changed = {
        one.name: torch.from_numpy(mask_array(one, state[one.name].numpy()))
        for one in emit(analysis, removed).slices
        # Positions that the program has and state dicts have not are never read.
        if one.name in state
    }
    copy = type(own.module)(own.module.config).eval()
    # Tied weights are one tensor, whatever name it is given under.
    copy.load_state_dict({**state, **changed}, strict=True)
    copy.load_state_dict(changed, strict=False)
    return copy


def advice(err: str) -> str:
    """The policy that a message gives as help."""
    return err[err.index("`policy ") + 1 :].split("`")[0]


def loaded(kind: Any, folder: Path) -> Any:
    """A model as the library loads it, with nothing missing and nothing left over."""
    module, said = kind.from_pretrained(folder, output_loading_info=True)
    assert not any(said[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    return module.eval()


def outputs(module: Any) -> Any:
    with torch.no_grad():
        return module(IDS).logits


def tensors(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        return {name: read_tensor(file, own) for name, own in read_safetensors(file)[0].items()}


# --- what loads ---


@pytest.mark.parametrize(
    ("ratio", "fields"),
    [
        ("0.25", {"intermediate_size": 72}),
        ("0.5", {"intermediate_size": 48, "num_attention_heads": 2, "num_key_value_heads": 1}),
    ],
)
@pytest.mark.parametrize("name", ["llama", "qwen"])
def test_a_smaller_decoder_generates_what_the_masked_original_does(
    name: str, ratio: str, fields: Any, tmp_path: Path, capsys: Any, request: Any
) -> None:
    own = request.getfixturevalue(name)
    out = tmp_path / "out"
    status, err = compiled(own, out, capsys, WHOLE, "--ratio", ratio, *EXACT)
    assert (status, err.count("error")) == (0, 0)
    before, after = (
        json.loads((folder / "config.json").read_text()) for folder in (own.folder, out / "transformers")
    )
    assert {**before, "head_dim": 16, **fields} == {"head_dim": 16, **after}
    smaller = loaded(transformers.AutoModelForCausalLM, out / "transformers")
    original = masked(own, out)
    assert float((outputs(smaller) - outputs(original)).abs().max()) < 1e-5
    # A difference there would show if the mask were forgotten.
    assert float((outputs(own.module) - outputs(original)).abs().max()) > 1e-3
    greedy = [
        module.generate(IDS, max_new_tokens=6, do_sample=False, attention_mask=torch.ones_like(IDS))
        for module in (smaller, original)
    ]
    assert torch.equal(*greedy) and greedy[0].shape == (2, 14)


def test_heads_with_keys_and_values_of_their_own_go_whole(tmp_path: Path, capsys: Any) -> None:
    settings = transformers.LlamaConfig(**{**DECODER, "num_key_value_heads": 4, "head_dim": 8})
    own = saved(transformers.LlamaForCausalLM(settings), tmp_path, input_ids=IDS, use_cache=False)
    out = tmp_path / "out"
    # A hidden size that is no multiple of the number of heads would be refused when it is loaded.
    status, err = compiled(own, out, capsys, WHOLE, "--ratio", "0.25", *EXACT)
    assert status == 1 and "hidden_size 64 is no multiple of num_attention_heads 3" in err
    assert compiled(own, out, capsys, WHOLE, "--ratio", "0.5", *EXACT)[0] == 0
    smaller = loaded(transformers.AutoModelForCausalLM, out / "transformers")
    found = smaller.config
    assert (found.num_attention_heads, found.num_key_value_heads, found.intermediate_size) == (2, 2, 48)
    program = torch.export.load(out / "net.pt2").module()
    (logits,) = program(input_ids=IDS, use_cache=False, return_dict=False)
    assert float((outputs(smaller) - logits.detach()).abs().max()) < 1e-5


def test_a_hidden_size_that_goes_approximately(llama: Saved, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out"
    assert compiled(llama, out, capsys, WHOLE, "--ratio", "0.25", "--no-restore")[0] == 0
    smaller = loaded(transformers.AutoModelForCausalLM, out / "transformers")
    assert (smaller.config.hidden_size, smaller.config.head_dim) == (48, 16)
    program = torch.export.load(out / "net.pt2").module()
    (logits,) = program(input_ids=IDS, use_cache=False, return_dict=False)
    assert float((outputs(smaller) - logits.detach()).abs().max()) < 1e-5


def test_shards_stay_as_many_and_their_list_is_renewed(qwen: Saved, tmp_path: Path, capsys: Any) -> None:
    (qwen.folder / "tokenizer.json").write_bytes(b'{"\xc3\xa9":  1}')
    (qwen.folder / "modeling_own.py").write_text("raise SystemExit\n")
    (qwen.folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    assert compiled(qwen, tmp_path / "out", capsys, WHOLE, "--ratio", "0.5", *EXACT)[0] == 0
    out = tmp_path / "out" / "transformers"
    name = "model.safetensors.index.json"
    before, after = (json.loads((folder / name).read_text()) for folder in (qwen.folder, out))
    shards = set(after["weight_map"].values())
    assert len(shards) > 1 and after["weight_map"] == before["weight_map"]
    assert {key: own for own in shards for key in tensors(out / own)} == after["weight_map"]
    held = [array for own in shards for array in tensors(out / own).values()]
    assert after["metadata"]["total_size"] == sum(array.nbytes for array in held)
    assert "lm_head.weight" not in after["weight_map"]
    copies = {"generation_config.json", "tokenizer.json"}
    assert {path.name for path in out.iterdir()} == {"config.json", name, *shards, *copies}
    assert all((out / own).read_bytes() == (qwen.folder / own).read_bytes() for own in copies)


def test_nothing_gone_gives_the_folder_again(llama: Saved, tmp_path: Path, capsys: Any) -> None:
    assert compiled(llama, tmp_path / "out", capsys, 'policy "*" { hold }', *EXACT)[0] == 0
    for path in (tmp_path / "out" / "transformers").iterdir():
        assert path.read_bytes() == (llama.folder / path.name).read_bytes()


def test_a_later_run_without_the_folder_leaves_none_of_its_files(
    llama: Saved, tmp_path: Path, capsys: Any
) -> None:
    out = tmp_path / "out"
    assert compiled(llama, out, capsys, WHOLE, "--ratio", "0.5", *EXACT)[0] == 0
    assert run(capsys, "compile", llama.program, "--out", out, "--force", *EXACT)[0] == 0
    assert [path.name for path in (out / "transformers").iterdir()] == ["generation_config.json"]


def test_heads_of_an_encoder_stay_and_its_feed_forward_goes(bert: Saved, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out"
    status, err = compiled(bert, out, capsys, "", "--ratio", "0.25", *EXACT)
    assert status == 1 and "P354" in err and "head_dim stays 16" in err and not out.exists()
    policy = advice(err)
    status, err = compiled(bert, out, capsys, policy, "--ratio", "0.25", *EXACT)
    # Channels that the pooler makes are as many as the hidden size.
    assert status == 1 and "hidden_size is 48 in bert.pooler.dense.bias, bert.pooler.dense.weight" in err
    policy += f"\n{advice(err)}\n"
    assert policy.endswith('"bert.pooler.dense.weight" { hold }\n')
    assert compiled(bert, out, capsys, policy, "--ratio", "0.25", *EXACT)[0] == 0
    smaller = loaded(transformers.AutoModelForSequenceClassification, out / "transformers")
    assert smaller.config.intermediate_size == 72 and smaller.config.num_attention_heads == 4
    assert float((outputs(smaller) - outputs(masked(bert, out))).abs().max()) < 1e-5
    whole = 'policy "*" { whole rows }\npolicy "*pooler*" { hold }\n'
    status, err = compiled(bert, tmp_path / "heads", capsys, whole, "--ratio", "0.25", *EXACT)
    assert status == 1 and "in bert head_dim is hidden_size / num_attention_heads" in err


# --- what is refused ---


def test_a_ranking_that_layers_disagree_on(llama: Saved, tmp_path: Path, capsys: Any) -> None:
    hold = 'policy "*.self_attn.*" { hold }\npolicy "model.layers.0.mlp.up_proj.weight" { ratio 0.5 }\n'
    status, err = compiled(llama, tmp_path / "out", capsys, hold, "--ratio", "0.25", *EXACT)
    assert status == 1 and "intermediate_size would be several numbers" in err and "{ uniform }" in err
    uniform = hold + 'policy "model.layers.*.mlp.up_proj.weight" { uniform }\n'
    assert compiled(llama, tmp_path / "out", capsys, uniform, "--ratio", "0.25", *EXACT)[0] == 0


def spoilt(own: Saved, folder: Path, name: str) -> Saved:
    """The folder with something wrong in it."""
    shutil.copytree(own.folder, folder)
    path = folder / "config.json"
    document = json.loads(path.read_text())
    weights = folder / "model.safetensors"
    held = tensors(weights) if weights.exists() else {}
    if name == "width":
        document["intermediate_size"] = 95
    elif name == "family":
        document["model_type"] = "mamba"
    elif name == "no family":
        del document["model_type"]
    elif name == "elements":
        held["model.norm.weight"] = held["model.norm.weight"] + 1
    elif name == "shape":
        held["model.norm.weight"] = held["model.norm.weight"][:60]
    elif name == "type":
        held["model.norm.weight"] = held["model.norm.weight"].astype(np.float64)
    elif name == "missing":
        del held["model.norm.weight"]
    elif name == "more":
        held["model.norm.bias"] = held["model.norm.weight"]
    path.write_text(json.dumps(document))
    if name in ("elements", "shape", "type", "missing", "more"):
        new = {key: NewTensor(str(a.dtype), a.shape, [a.tobytes()]) for key, a in held.items()}
        with open(weights, "wb") as file:
            write_safetensors(file, new, {"format": "pt"})
    elif name == "weights":
        weights.write_bytes(b"{}")
    elif name == "no config":
        path.unlink()
    elif name == "no object":
        path.write_text("[1]")
    elif name == "no weights":
        weights.unlink()
    elif name == "shard elsewhere":
        index = {"weight_map": dict.fromkeys(held, "../hub/model.safetensors")}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return Saved(own.module, own.program, folder)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("no config", "P350", "config.json"),
        ("no object", "P350", "it holds no object"),
        ("no weights", "P350", "model.safetensors"),
        ("weights", "P350", "it is no file of tensors"),
        ("shard elsewhere", "P350", '"weight_map"'),
        ("family", "P351", "known are llama, qwen2"),
        ("no family", "P351", "'None'"),
        ("elements", "P352", "other elements"),
        ("shape", "P352", "float32 (60,), in the program float32 (64,)"),
        ("type", "P352", "float64"),
        ("missing", "P352", "which the folder lacks"),
        ("more", "P352", "the program has no 'model.norm.bias'"),
        ("width", "P353", "intermediate_size is 95"),
    ],
)
def test_folders_of_another_model(
    name: str, code: str, said: str, llama: Saved, tmp_path: Path, capsys: Any
) -> None:
    other = spoilt(llama, tmp_path / "hub", name)
    status, err = compiled(other, tmp_path / "out", capsys, WHOLE, *EXACT)
    assert status == 1 and f"error[{code}]" in err and said in err
    assert not (tmp_path / "out").exists()


def test_the_folder_itself_is_never_written_over(llama: Saved, tmp_path: Path, capsys: Any) -> None:
    shutil.copytree(llama.folder, tmp_path / "out" / "transformers")
    own = Saved(llama.module, llama.program, tmp_path / "out" / "transformers")
    status, err = compiled(own, tmp_path / "out", capsys, WHOLE, "--force", *EXACT)
    assert status == 1 and "P511" in err


# --- the table and the library ---

_CLASSES = {
    "llama": ("LlamaForCausalLM", {"attention_bias": True, "mlp_bias": True}),
    "qwen2": ("Qwen2ForCausalLM", {}),
    "qwen3": ("Qwen3ForCausalLM", {"attention_bias": True, "head_dim": 24}),
    "mistral": ("MistralForCausalLM", {"head_dim": 24}),
    "gemma": ("GemmaForCausalLM", {"head_dim": 24}),
    "gemma2": ("Gemma2ForCausalLM", {"head_dim": 24}),
    "phi3": ("Phi3ForCausalLM", {}),
    "gpt2": ("GPT2LMHeadModel", {}),
    "bert": ("BertForPreTraining", {}),
    "vit": ("ViTForImageClassification", {}),
}


@pytest.mark.parametrize("kind", known_families())
def test_the_table_has_all_parameters_with_their_shapes(kind: str, tmp_path: Path) -> None:
    name, more = _CLASSES[kind]
    found = getattr(transformers, name)
    settings = found.config_class(
        **({} if kind == "gpt2" else DECODER if kind not in ("bert", "vit") else ENCODER), **more
    )
    if kind == "gpt2":
        settings = found.config_class(vocab_size=96, n_embd=64, n_head=4, n_layer=2, n_positions=32)
    with torch.device("meta"):
        module = found(settings)
    document = json.loads(settings.to_json_string())
    family = family_of(kind)
    assert family is not None
    shapes = {key: tuple(value.shape) for key, value in module.named_parameters()}
    assert [key for key in shapes if family.axes(key) is None] == []
    check_shapes(configuration(family, document, "config.json"), shapes)
