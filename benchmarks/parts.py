"""The parts of benchmarks/compare: which engines measure what, and what the ratios must be.

Every part is a function of the options that fills a report; its first line is what the command says about it.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cache
import judge
import library
import peers
import support
from judge import Report, Row
from rounds import Engine, Pair

CONTEXT, NEW = 32, 128  # tokens before the first decode step, and steps
DECODE = f"decode {CONTEXT} {NEW}"
TORCH = "workers_torch.py"
MACHINE = {"machine": Engine("machine", "-")}


class Options(NamedTuple):
    rounds: int
    threads: int


def gather(report: Report, makers: dict[str, Callable[[], Engine]]) -> dict[str, Engine]:
    """The engines that can be made; the others are missing."""
    engines = {}
    for name, make in makers.items():
        try:
            engines[name] = make()
        except peers.PeerError as error:
            report.missing[name] = str(error).strip().replace("\n", " | ")
    return engines


def ours(directory: Callable[[], Path], name: str, *flags: str) -> Engine:
    return Engine("llmopt", library.compile(directory(), name, *flags))


def smollm2(name: str, *flags: str) -> Callable[[], Engine]:
    return partial(ours, partial(support.get_model, "genai"), f"smollm2-{name}", *flags)


def llama(kind: str) -> Callable[[], Engine]:
    return lambda: Engine("llama.cpp", peers.llama_model(kind), peers.llama_python())


def openvino(mode: str) -> Callable[[], Engine]:
    def make() -> Engine:
        source = support.get_model("dynamo") / "model.onnx"
        return Engine("openvino", peers.openvino_model(source, mode, mode, cache.root() / "models/smollm2"), peers.openvino_python())

    return make


def torch(kind: str) -> Callable[[], Engine]:
    return lambda: Engine(kind, support.get_model("hf"), program=TORCH)


OURS = {"int8": smollm2("int8", "-quant=int8"), "int4": smollm2("int4", "-quant=int4", "-quant-method=rtn"), "f32": smollm2("f32")}
# All of them decode; in prefill, those in ALL_LOGITS compute the logits of all tokens, and so does llmopt then.
PEERS: dict[str, Callable[[], Engine]] = {
    "llama.cpp Q8_0": llama("Q8_0"),
    "llama.cpp Q4_0": llama("Q4_0"),
    "llama.cpp F32": llama("F32"),
    "genai int4": lambda: Engine("onnxruntime-genai", peers.genai_int4()),
    "onnxruntime f32": lambda: Engine("onnxruntime", support.get_model("dynamo") / "model.onnx"),
    "onnxruntime int8": lambda: Engine("onnxruntime", peers.onnxruntime_model("dynamo")),
    "onnxruntime int8 fused": lambda: Engine("onnxruntime", peers.onnxruntime_model("genai")),
    "onnxruntime int4": lambda: Engine("onnxruntime", peers.onnxruntime_int4()),
    "openvino int8": openvino("int8"),
    "openvino int4": openvino("int4"),
    "torch f32": torch("torch"),
    "torch bf16": torch("torch-bf16"),
    "torch int8": torch("torch-int8"),
    "torch compile": torch("torch-compile"),
}
ALL_LOGITS = {name for name in PEERS if name.startswith(("onnxruntime", "openvino"))}


def choose(names) -> dict[str, Callable[[], Engine]]:
    return {name: (OURS | PEERS)[name] for name in names}


def decode(report: Report, options: Options) -> None:
    """decode of SmolLM2 against llama.cpp and onnxruntime-genai of the same width"""
    rows = [
        Row("decode int8 / Q8_0", Pair("int8", DECODE), (Pair("llama.cpp Q8_0", DECODE),), 2.3),
        Row("decode int4 g32 / Q4_0", Pair("int4", DECODE), (Pair("llama.cpp Q4_0", DECODE),), 2.4),
        Row("decode int4 / genai int4", Pair("int4", DECODE), (Pair("genai int4", DECODE),), 3.0),
        Row("decode f32 / F32", Pair("f32", DECODE), (Pair("llama.cpp F32", DECODE),), 1.3),
    ]
    engines = gather(report, choose(["int8", "int4", "f32", "llama.cpp Q8_0", "llama.cpp Q4_0", "llama.cpp F32", "genai int4"]))
    engines |= MACHINE
    shares = [
        Row(f"share of bandwidth, {name}", Pair(name, DECODE), (Pair("machine", "read"),), factor=library.bytes_per_token(engines[name].model, CONTEXT + NEW // 2))
        for name in OURS
        if name in engines
    ]
    judge.measure(report, engines, rows + shares, options.rounds, options.threads)


def decode_peers(report: Report, options: Options) -> None:
    """decode of SmolLM2 int8 against every other peer, without a bar"""
    names = [name for name in PEERS if name not in ("torch compile", "llama.cpp F32", "llama.cpp Q4_0")]
    short = f"decode {CONTEXT} {NEW // 4}"
    rows = [Row("decode int8", Pair("int8", short), tuple(Pair(name, short) for name in names))]
    judge.measure(report, gather(report, choose(["int8", *names])), rows, options.rounds, options.threads)


def prefill(report: Report, options: Options, tokens: int) -> None:
    """prefill of SmolLM2 int8 against the best peer of all"""
    last, every = Pair("int8", f"prefill {tokens}"), Pair("int8", f"prefill-all {tokens}")
    theirs = tuple(Pair(name, every.what if name in ALL_LOGITS else last.what) for name in PEERS if name != "llama.cpp F32")
    row = Row(f"prefill {tokens} int8 / best peer", last, theirs, 2.0, ours_for={pair: every for pair in theirs if pair.what == every.what})
    engines = gather(report, choose(["int8", *(pair.engine for pair in theirs)])) | MACHINE
    shares = []
    if "int8" in engines:
        work = library.products_per_token(engines["int8"].model, tokens)
        shares = [Row("share of the int8 peak", last, (Pair("machine", "int8"),), factor=work)]
    judge.measure(report, engines, [row, *shares], options.rounds, options.threads)


def tinyllama(report: Report, options: Options) -> None:
    """TinyLlama-1.1B shape: shares of the machine's bandwidth in decode and of its integer peak in prefill"""
    shape = partial(support.get_shape, "tinyllama-1.1b")
    makers = {name: partial(ours, shape, f"tinyllama-{name}", f"-quant={name}", "-quant-method=rtn", "-max-seq=1024") for name in ("int8", "int4")}
    engines = gather(report, makers) | MACHINE
    steps, rows = f"decode {CONTEXT} {NEW // 4}", []
    for name in makers:
        if name in engines:
            work = library.bytes_per_token(engines[name].model, CONTEXT + NEW // 8)
            rows.append(Row(f"share of bandwidth, {name}", Pair(name, steps), (Pair("machine", "read"),), 0.85, work))
        else:
            report.missing[f"share of bandwidth, {name}"] = "no library"
    if "int8" in engines:
        work = library.products_per_token(engines["int8"].model, 128)
        rows.append(Row("share of the int8 peak, prefill 128", Pair("int8", "prefill 128"), (Pair("machine", "int8"),), 0.75, work))
    judge.measure(report, engines, rows, options.rounds, options.threads)


def minilm(report: Report, options: Options) -> None:
    """MiniLM-L6, batches of 1 and 8 times 128 tokens, against the better of ONNX Runtime and OpenVINO"""
    model = partial(support.get_model, "dynamo", "minilm")
    home = cache.root() / "models/minilm"

    def int8_of_onnxruntime() -> Engine:
        source = model() / "model.onnx"
        return Engine("onnxruntime", cache.make_once(home / "onnxruntime-int8", partial(peers.quantize_dynamic, source)) / "model.onnx")

    def of_openvino(mode: str, kind: str = "openvino") -> Engine:
        return Engine(kind, peers.openvino_model(model() / "model.onnx", mode, mode, home), peers.openvino_python())

    makers = {
        "int8": partial(ours, model, "minilm-int8", "-quant=int8"),
        "f32": partial(ours, model, "minilm-f32"),
        "onnxruntime int8": int8_of_onnxruntime,
        "onnxruntime f32": lambda: Engine("onnxruntime", model() / "model.onnx"),
        "openvino int8": partial(of_openvino, "int8"),
        "openvino int8 static": partial(of_openvino, "static"),
        "openvino f32": partial(of_openvino, "f32", "openvino-f32"),
        "openvino bf16": partial(of_openvino, "f32"),
    }
    rows = []
    # What OpenVINO makes of a model in f32 by itself on this CPU, bf16, is told only: it is another precision.
    for name, least, theirs in (
        ("int8", 1.5, ("onnxruntime int8", "openvino int8", "openvino int8 static")),
        ("f32", 1.15, ("onnxruntime f32", "openvino f32")),
        ("f32", None, ("openvino bf16",)),
    ):
        for batch in (1, 8):
            what = f"encode {batch} 128"
            label = f"MiniLM {name}, {batch} x 128" + ("" if least else ", against bf16")
            rows.append(Row(label, Pair(name, what), tuple(Pair(peer, what) for peer in theirs), least))
    engines = gather(report, makers)
    judge.measure(report, engines, rows, options.rounds, options.threads)
    if {"int8", "f32"} <= engines.keys():
        report.checks.append(judge.Check("cosine of int8 to float, worst of 16 texts", library.cosine(engines["int8"].model, engines["f32"].model), 0.99, False))


def opt(report: Report, options: Options, beams: int) -> None:
    """OPT-1.3B shape, 512 new tokens after a prompt of 32, int8 against Hugging Face float32"""
    shape = partial(support.get_shape, "opt-1.3b")
    makers = {
        "int8": lambda: Engine("llmopt-run", ours(shape, "opt-int8", "-quant=int8", "-max-seq=1024").model),
        "huggingface f32": lambda: Engine("huggingface", shape(), program=TORCH),
    }
    engines = gather(report, makers) | MACHINE
    # Eight rounds of 64 tokens are the 512: both sides continue where the round before ended.
    what = (f"generate {beams} {{}} {512 // options.rounds}", CONTEXT, 512 // options.rounds)
    mine, theirs, limit = Pair("int8", *what), Pair("huggingface f32", *what), Pair("machine", "read")
    name = "greedy" if beams == 1 else f"{beams} beams"
    rows = [Row(f"OPT-1.3B {name}, int8 / Hugging Face f32", mine, (theirs,), 5.0 if beams == 1 else 6.0)]
    rows.append(Row("share of bandwidth, Hugging Face", theirs, (limit,), factor=library.float_bytes(support.get_shape("opt-1.3b"))))
    if "int8" in engines:
        rows.append(Row("share of bandwidth, int8", mine, (limit,), factor=library.bytes_per_token(engines["int8"].model, (CONTEXT + 256) * beams)))
    judge.measure(report, engines, rows, options.rounds, options.threads, warm_up=False)


def threads(report: Report, options: Options) -> None:
    """two threads against one, where bandwidth is no limit: prefill of 512 tokens"""
    path = OURS["int8"]().model
    engines = {"two threads": Engine("llmopt", path, threads=2), "one thread": Engine("llmopt", path, threads=1)}
    what = "prefill 512"
    rows = [Row("prefill 512, two threads / one", Pair("two threads", what), (Pair("one thread", what),), 1.8)]
    judge.measure(report, engines, rows, options.rounds, options.threads)


def long(report: Report, options: Options) -> None:
    """long context of SmolLM2 int8: decode at 4096 tokens, prefill of 2048 against 512"""
    engines = gather(report, {"int8": OURS["int8"]}) | MACHINE
    if "int8" not in engines:
        return
    # What the machine allows is bandwidth / bytes; that share of a short context is told beside.
    far, near = f"decode 4096 {NEW // 2}", f"decode {CONTEXT} {NEW // 2}"
    model = engines["int8"].model
    rows = [
        Row("prefill 2048 / 512", Pair("int8", "prefill 2048"), (Pair("int8", "prefill 512"),), 0.8),
        Row("share of bandwidth at 4096", Pair("int8", far), (Pair("machine", "read"),), 0.85, library.bytes_per_token(model, 4096)),
        Row("share of bandwidth at 32", Pair("int8", near), (Pair("machine", "read"),), None, library.bytes_per_token(model, CONTEXT)),
    ]
    judge.measure(report, engines, rows, options.rounds, options.threads)


def gemm(report: Report, options: Options) -> None:
    """oneDNN's products of 512 rows with a weight of 5632 x 2048, for reference"""
    engines = MACHINE | {"oneDNN": Engine("gemm", "-", program=TORCH)}
    sizes = "512 2048 5632"
    rows = [Row(f"oneDNN {kind} / int8 peak", Pair("oneDNN", f"{kind} {sizes}"), (Pair("machine", "int8"),)) for kind in ("int8", "bf16", "f32")]
    judge.measure(report, engines, rows, options.rounds, options.threads)


def compile_cost(report: Report, options: Options) -> None:
    """compiling SmolLM2 to int4 with -O0"""
    try:
        seconds, peak = library.compile_cost(support.get_model("genai"), "-quant=int4", "-O0")
    except peers.PeerError as error:
        report.missing["compile int4"] = str(error)
        return
    report.checks += [judge.Check("compile int4", seconds, 20, True, "s"), judge.Check("peak memory", peak / 1e9, 1.5, True, "GB")]


def perplexities(report: Report, options: Options, wanted: dict[str, tuple[str, ...]]) -> dict[str, float]:
    """By name; what cannot be compiled is missing."""
    found = {}
    for name, flags in wanted.items():
        try:
            found[name] = library.perplexity(library.compile(support.get_model("genai"), f"smollm2-{name}", *flags), options.threads)
            report.notes.append(f"perplexity {name:24} {found[name]:.4f}   {' '.join(flags)}")
            print(f"  {report.notes[-1]}", file=sys.stderr, flush=True)
        except peers.PeerError as error:
            report.missing[name] = str(error)
    return found


def kv(report: Report, options: Options) -> None:
    """perplexity of SmolLM2 with the cache in bf16 and int8 against f32"""
    found = perplexities(report, options, {f"kv-{kind}": ("-quant=int8", f"-kv={kind}") for kind in ("f32", "bf16", "int8")})
    for kind, bar in (("bf16", 1.005), ("int8", 1.01)):
        if {f"kv-{kind}", "kv-f32"} <= found.keys():
            report.checks.append(judge.Check(f"perplexity, cache {kind} / f32", found[f"kv-{kind}"] / found["kv-f32"], bar, True))


def accuracy(report: Report, options: Options) -> None:
    """perplexity of SmolLM2 in every format against the same format in PyTorch"""
    exact = ("-act=none", "-embedding-quant=none")
    formats = {"int8": 24.29, "int4": 31.06, "nf4": 28.53}
    wanted = {}
    for name in formats:
        wanted |= {f"{name}-exact": (f"-quant={name}", "-O0", *exact), name: (f"-quant={name}", "-O0")}
    found = perplexities(report, options, wanted)
    for name, reference in formats.items():
        for key, bar in ((f"{name}-exact", 1.01), (name, 1.01 * 1.015)):
            if key in found:
                report.checks.append(judge.Check(f"perplexity {key} / {reference}", found[key] / reference, bar, True))


class Part(NamedTuple):
    measure: Callable[[Report, Options], None]
    about: str
    rounds: int = 7
    by_default: bool = True


def part(function, extra: str = "", rounds: int = 7, by_default: bool = True, **arguments) -> Part:
    return Part(partial(function, **arguments), function.__doc__ + extra, rounds, by_default)


PARTS = {
    "decode": part(decode),
    "decode-peers": part(decode_peers, by_default=False),
    "prefill128": part(prefill, ", 128 tokens", tokens=128),
    "prefill512": part(prefill, ", 512 tokens", tokens=512),
    "tinyllama": part(tinyllama),
    "minilm": part(minilm),
    "opt-greedy": part(opt, ", greedy", rounds=8, beams=1),
    "opt-beams": part(opt, ", 4 beams", rounds=8, beams=4),
    "threads": part(threads),
    "long": part(long),
    "gemm": part(gemm),
    "compile": part(compile_cost),
    "kv": part(kv),
    "accuracy": part(accuracy),
}
GROUPS = {"prefill": ("prefill128", "prefill512"), "opt": ("opt-greedy", "opt-beams"), "all": tuple(name for name, each in PARTS.items() if each.by_default)}
