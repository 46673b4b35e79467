"""The architectures whose ONNX exports are pruned: definitions of torchvision, timm and transformers.

Nothing is downloaded: parameters are random, and networks of transformers are built from small
configurations.  Importing this module needs none of the three; building a network does.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import Any, Mapping, Optional


@dataclass(frozen=True)
class Input:
    """An input's name and its shape without the batch; whole numbers under ``below`` where it is given."""

    name: str
    shape: tuple[int, ...]
    below: Optional[int] = None


@dataclass(frozen=True)
class Architecture:
    """How to build one network.

    ``maker`` is called with ``options``; of transformers it is called with a ``configuration`` made of them,
    which does attention in the way ``attention``.  Of an output with named entries ``output`` names the one
    that counts.  The mask ``attends`` tells that all words of the last input are read; without it some
    networks look for texts put side by side.
    """

    name: str
    maker: str
    options: Mapping[str, Any]
    inputs: tuple[Input, ...]
    configuration: Optional[str] = None
    output: Optional[str] = None
    attends: Optional[str] = None
    # Attention as products and a softmax, which Torch-Pruning can trace as well.
    attention: str = "eager"

    @property
    def library(self) -> str:
        """Where the definition comes from."""
        return self.maker.partition(".")[0]

    def build(self) -> Any:
        """The network, its parameters as the library draws them."""
        if self.configuration is None:
            return _found(self.maker)(**self.options)
        options = dict(self.options)
        if "backbone_config" in options:
            name, inner = options["backbone_config"]
            options["backbone_config"] = _found(name)(**inner)
        configuration = _found(self.configuration)(**options, attn_implementation=self.attention)
        return _found(self.maker)(configuration)


def _found(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _image(side: int) -> tuple[Input, ...]:
    return (Input("image", (3, side, side)),)


def _vision(path: str, side: int = 64, **options: Any) -> Architecture:
    name = path.rpartition(".")[2]
    return Architecture(name, f"torchvision.models.{path}", {"weights": None, **options}, _image(side))


def _segmentation(name: str) -> Architecture:
    options = {"weights": None, "weights_backbone": None}
    return Architecture(name, f"torchvision.models.segmentation.{name}", options, _image(64), output="out")


def _timm(name: str, side: int = 64, **options: Any) -> Architecture:
    return Architecture(name, "timm.create_model", {"model_name": name, **options}, _image(side))


def _sized(name: str, side: int = 64, **options: Any) -> Architecture:
    """A network of timm that is built for one size of images."""
    return _timm(name, side, img_size=side, **options)


def _transformer(
    name: str, maker: str, inputs: tuple[Input, ...], options: Mapping[str, Any], output: str = "logits"
) -> Architecture:
    family = maker.partition("For")[0].replace("LMHeadModel", "").replace("EncoderModel", "")
    configuration = f"transformers.{family}Config"
    attends = "attention_mask" if maker.endswith(("CausalLM", "LMHeadModel")) else None
    if inputs[-1].name == "decoder_input_ids":
        attends = "decoder_attention_mask"
    return Architecture(name, f"transformers.{maker}", options, inputs, configuration, output, attends)


_WORDS = (Input("input_ids", (12,), below=96),)
_PIXELS = (Input("pixel_values", (3, 64, 64)),)
_ENCODER = {
    "vocab_size": 96,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 32,
}
_DECODER = {**_ENCODER, "use_cache": False, "pad_token_id": 0}
_GROUPED = {**_DECODER, "num_key_value_heads": 2}
_PATCHES = {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "image_size": 64,
    "num_labels": 10,
}
_STAGES = {"image_size": 64, "embed_dim": 32, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}
_TRANSLATION = {
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
}
_RESNET = {
    "embedding_size": 32,
    "hidden_sizes": [32, 48, 64, 96],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
    "out_features": ["stage4"],
}
_VIT = {
    "image_size": 64,
    "patch_size": 16,
    "num_layers": 3,
    "num_heads": 4,
    "hidden_dim": 64,
    "mlp_dim": 128,
}
_PLAIN_STEM = {"init_weights": False, "aux_logits": False}

_TORCHVISION = (
    _vision("alexnet", 224),
    _vision("vgg11_bn", 224),
    _vision("resnet18"),
    _vision("resnet50"),
    _vision("resnext50_32x4d"),
    _vision("densenet121"),
    _vision("googlenet", **_PLAIN_STEM),
    _vision("inception_v3", 80, **_PLAIN_STEM),
    _vision("squeezenet1_1"),
    _vision("mobilenet_v2"),
    _vision("mobilenet_v3_small"),
    _vision("mnasnet0_5"),
    _vision("shufflenet_v2_x0_5"),
    _vision("efficientnet_b0"),
    _vision("regnet_y_400mf"),
    _vision("convnext_tiny"),
    _vision("swin_t"),
    _vision("swin_v2_t"),
    Architecture("vit", "torchvision.models.VisionTransformer", _VIT, _image(64)),
    _segmentation("fcn_resnet50"),
    _segmentation("deeplabv3_mobilenet_v3_large"),
    _segmentation("lraspp_mobilenet_v3_large"),
    Architecture("r3d_18", "torchvision.models.video.r3d_18", {}, (Input("video", (3, 4, 32, 32)),)),
)
_TIMM = (
    _timm("res2net50_14w_8s"),
    _timm("skresnet18"),
    _timm("ecaresnet26t"),
    _timm("dla34"),
    _timm("hrnet_w18_small"),
    _timm("ghostnet_100"),
    _timm("mixnet_s"),
    _timm("repvgg_a0"),
    _timm("cspresnet50"),
    _timm("ese_vovnet19b_dw"),
    _timm("rexnet_100"),
    _timm("mobilenetv4_conv_small"),
    _timm("poolformer_s12"),
    _timm("pvt_v2_b0"),
    _timm("edgenext_xx_small"),
    _timm("mobilevit_xxs"),
    _timm("fastvit_t8"),
    _timm("efficientvit_b0"),
    _sized("deit_tiny_patch16_224"),
    _sized("mixer_s32_224"),
    _sized("resmlp_12_224"),
    _sized("gmlp_ti16_224"),
    _sized("levit_128s"),
    _sized("coat_lite_tiny"),
    _sized("cait_xxs24_224", depth=4),
    _sized("xcit_nano_12_p16_224", depth=4),
)
_TRANSFORMERS = (
    _transformer("bert", "BertForSequenceClassification", _WORDS, _ENCODER),
    _transformer("albert", "AlbertForSequenceClassification", _WORDS, {**_ENCODER, "embedding_size": 32}),
    _transformer("deberta_v2", "DebertaV2ForSequenceClassification", _WORDS, _ENCODER),
    _transformer(
        "gpt2",
        "GPT2LMHeadModel",
        _WORDS,
        {"vocab_size": 96, "n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 32, "use_cache": False},
    ),
    _transformer("gpt_neox", "GPTNeoXForCausalLM", _WORDS, _DECODER),
    _transformer("llama", "LlamaForCausalLM", _WORDS, _GROUPED),
    _transformer("qwen2", "Qwen2ForCausalLM", _WORDS, _GROUPED),
    _transformer("phi3", "Phi3ForCausalLM", _WORDS, {**_DECODER, "num_key_value_heads": 4}),
    _transformer(
        "t5_encoder",
        "T5EncoderModel",
        _WORDS,
        {"vocab_size": 96, "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 3, "num_heads": 4},
        "last_hidden_state",
    ),
    _transformer(
        "bart",
        "BartForConditionalGeneration",
        (*_WORDS, Input("decoder_input_ids", (8,), below=96)),
        {**_TRANSLATION, "vocab_size": 96, "max_position_embeddings": 32, "use_cache": False},
    ),
    _transformer(
        "whisper",
        "WhisperForConditionalGeneration",
        (Input("input_features", (20, 64)), Input("decoder_input_ids", (8,), below=96)),
        {
            **_TRANSLATION,
            "vocab_size": 96,
            "num_mel_bins": 20,
            "max_source_positions": 32,
            "max_target_positions": 16,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 1,
            "use_cache": False,
        },
    ),
    _transformer(
        "wav2vec2",
        "Wav2Vec2ForCTC",
        (Input("input_values", (1600,)),),
        {
            **_ENCODER,
            "conv_dim": [32] * 4,
            "conv_kernel": [10, 3, 3, 2],
            "conv_stride": [5, 2, 2, 2],
            "num_conv_pos_embeddings": 16,
            "num_conv_pos_embedding_groups": 4,
        },
    ),
    _transformer("hf_vit", "ViTForImageClassification", _PIXELS, _PATCHES),
    _transformer("hf_swin", "SwinForImageClassification", _PIXELS, _STAGES),
    _transformer(
        "hf_convnext",
        "ConvNextForImageClassification",
        _PIXELS,
        {"hidden_sizes": [32, 48, 64, 96], "depths": [1, 1, 2, 1], "num_labels": 10},
    ),
    _transformer(
        "segformer",
        "SegformerForSemanticSegmentation",
        _PIXELS,
        {"hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1], "decoder_hidden_size": 48},
    ),
    _transformer(
        "detr",
        "DetrForObjectDetection",
        _PIXELS,
        {
            **_TRANSLATION,
            "num_queries": 10,
            "use_timm_backbone": False,
            "use_pretrained_backbone": False,
            "backbone_config": ("transformers.ResNetConfig", _RESNET),
        },
    ),
)
ARCHITECTURES: tuple[Architecture, ...] = (*_TORCHVISION, *_TIMM, *_TRANSFORMERS)


def architecture(name: str, attention: str = "eager") -> Architecture:
    """The architecture of a name, attention done in one of the ways of transformers; KeyError if there is
    none."""
    return replace({one.name: one for one in ARCHITECTURES}[name], attention=attention)
