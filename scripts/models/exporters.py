"""The three ONNX forms of a decoder: what ONNX Runtime's generator writes, and PyTorch's two exporters.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch
from transformers import AutoModel, AutoModelForCausalLM, DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer


def export_genai(checkpoint: Path, directory: Path) -> None:
    """float32 for the CPU: GroupQueryAttention, SkipSimplifiedLayerNormalization."""
    builder = [sys.executable, "-m", "onnxruntime_genai.models.builder"]
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        arguments = ["-i", str(checkpoint), "-o", scratch, "-p", "fp32", "-e", "cpu", "-c", f"{scratch}/cache"]
        run = subprocess.run([*builder, *arguments], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            sys.exit(f"error: the onnxruntime-genai builder failed:\n{run.stdout}{run.stderr}")
        for name in ("model.onnx", "model.onnx.data", "genai_config.json"):
            shutil.move(f"{scratch}/{name}", directory / name)


class WithFlatCache(torch.nn.Module):
    """The decoder with its cache as plain tensors, the signature that ONNX wants.

    Inputs: input_ids [B, S], attention_mask [B, P + S], position_ids [B, S], then key and value [B, H, P, D] of every layer.
    Outputs: logits [B, S, V], then the present key and value [B, H, P + S, D] of every layer.
    """

    def __init__(self, model: PreTrainedModel):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, position_ids, *past):
        cache = DynamicCache()
        for key, value in zip(past[::2], past[1::2]):
            # Filled by hand: an update of an empty cache would leave a concatenation with nothing in the graph.
            layer = DynamicLayer()
            layer.lazy_initialization(key, value)
            layer.keys, layer.values = key, value
            cache.layers.append(layer)
        out = self.model(input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, past_key_values=cache, use_cache=True)
        return (out.logits, *(tensor for layer in out.past_key_values.layers for tensor in (layer.keys, layer.values)))


def example_inputs(config) -> tuple[torch.Tensor, ...]:
    batch, new, past = 2, 3, 5
    ids = torch.arange(batch * new, dtype=torch.int64).reshape(batch, new)
    mask = torch.ones(batch, past + new, dtype=torch.int64)
    positions = torch.arange(past, past + new, dtype=torch.int64).repeat(batch, 1)
    shape = (batch, config.num_key_value_heads, past, config.head_dim)
    caches = [torch.randn(shape) for _ in range(2 * config.num_hidden_layers)]
    return (ids, mask, positions, *caches)


def names(config) -> tuple[list[str], list[str]]:
    pairs = [f"{layer}.{part}" for layer in range(config.num_hidden_layers) for part in ("key", "value")]
    inputs = ["input_ids", "attention_mask", "position_ids", *(f"past_key_values.{pair}" for pair in pairs)]
    return inputs, ["logits", *(f"present.{pair}" for pair in pairs)]


def load(checkpoint: Path) -> PreTrainedModel:
    # Both exporters report every Python branch of the model; testdata.verify decides whether the graph is right.
    warnings.simplefilter("ignore", torch.jit.TracerWarning)
    warnings.filterwarnings("ignore", module="torch.onnx.*")
    return AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()


@torch.no_grad()
def export_dynamo(checkpoint: Path, directory: Path) -> None:
    model = load(checkpoint)
    inputs, outputs = names(model.config)
    batch, new, past = (torch.export.Dim(name) for name in ("batch", "sequence", "past"))
    total = torch.export.Dim("total")
    caches = tuple({0: batch, 2: past} for _ in inputs[3:])
    program = torch.onnx.export(
        WithFlatCache(model).eval(),
        example_inputs(model.config),
        input_names=inputs,
        output_names=outputs,
        dynamic_shapes=({0: batch, 1: new}, {0: batch, 1: total}, {0: batch, 1: new}, caches),
        dynamo=True,
    )
    program.save(directory / "model.onnx", external_data=True)


@torch.no_grad()
def export_torchscript(checkpoint: Path, directory: Path) -> None:
    model = load(checkpoint)
    inputs, outputs = names(model.config)
    axes = {
        "input_ids": {0: "batch", 1: "sequence"},
        "attention_mask": {0: "batch", 1: "total"},
        "position_ids": {0: "batch", 1: "sequence"},
        "logits": {0: "batch", 1: "sequence"},
    }
    axes |= {name: {0: "batch", 2: "past"} for name in inputs[3:]}
    axes |= {name: {0: "batch", 2: "total"} for name in outputs[1:]}
    torch.onnx.export(
        WithFlatCache(model).eval(),
        example_inputs(model.config),
        str(directory / "model.onnx"),
        input_names=inputs,
        output_names=outputs,
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )


class Encoder(torch.nn.Module):
    """input_ids, attention_mask, token_type_ids [B, S] to last_hidden_state [B, S, H]."""

    def __init__(self, model: PreTrainedModel):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state


@torch.no_grad()
def export_encoder(checkpoint: Path, directory: Path, dynamo: bool) -> None:
    warnings.simplefilter("ignore", torch.jit.TracerWarning)
    warnings.filterwarnings("ignore", module="torch.onnx.*")
    model = AutoModel.from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="sdpa").eval()
    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    example = (torch.arange(100, 110).reshape(2, 5), torch.ones(2, 5, dtype=torch.int64), torch.zeros(2, 5, dtype=torch.int64))
    outputs, target = ["last_hidden_state"], str(directory / "model.onnx")
    if dynamo:
        axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence")}
        program = torch.onnx.export(Encoder(model), example, input_names=inputs, output_names=outputs, dynamic_shapes=(axes,) * 3, dynamo=True)
        program.save(target, external_data=True)
    else:
        axes = {name: {0: "batch", 1: "sequence"} for name in [*inputs, *outputs]}
        torch.onnx.export(
            Encoder(model), example, target, input_names=inputs, output_names=outputs, dynamic_axes=axes, opset_version=17, dynamo=False
        )


def export_encoder_dynamo(checkpoint: Path, directory: Path) -> None:
    export_encoder(checkpoint, directory, dynamo=True)


def export_encoder_torchscript(checkpoint: Path, directory: Path) -> None:
    export_encoder(checkpoint, directory, dynamo=False)
