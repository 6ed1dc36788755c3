"""One engine in one process: loads its model, then measures once for every line on standard input.

usage: workers.py ENGINE MODEL THREADS

Prints a line about itself, then rates per second, one for every line of input:

    decode CONTEXT N       N steps of one token, after CONTEXT tokens
    prefill N              N tokens at once, and the logits of the last
    prefill-all N          N tokens at once, and the logits of all
    encode BATCH LENGTH    tokens of whole sequences through an encoder
    generate BEAMS CONTEXT N
                           N tokens after CONTEXT tokens by greedy (1) or beam search
    read, int8             bytes and integer operations of the machine itself

An engine knows only some of them. Imports only what its engine needs: the environments of the engines have little in common. Engines of PyTorch
are in workers_torch.py.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

CONTEXT = 16  # tokens before a measurement that is not of decoding
# Seconds before an encoder is measured: threads of ONNX Runtime spin for some 50 ms after an execution, which takes a core from whoever
# measures next.
PAUSE = 0.15
VOCABULARY = 30000


def tokens(count: int) -> list[int]:
    """Arbitrary tokens; the same for every engine."""
    return [(7919 * index + 101) % VOCABULARY for index in range(count)]


class Engine:
    """What all decoders share: `reset`, `feed` (wants the last logits) and `feed_all` (wants all) are the engine's."""

    def measure(self, what: str) -> float:
        kind, *numbers = what.split()
        return getattr(self, kind.replace("-", "_"))(*map(int, numbers))

    def decode(self, context: int, count: int) -> float:
        self.reset()
        # Not timed: the caches hold the weights of the engine that measured before.
        time.sleep(PAUSE)
        self.feed(tokens(context))
        start = time.perf_counter()
        for token in tokens(count):
            self.feed([token])
        return count / (time.perf_counter() - start)

    def prefill(self, count: int) -> float:
        return self._prefill(self.feed, count)

    def prefill_all(self, count: int) -> float:
        return self._prefill(self.feed_all, count)

    def _prefill(self, feed, count: int) -> float:
        self.reset()
        time.sleep(PAUSE)
        feed(tokens(CONTEXT))
        self.reset()
        start = time.perf_counter()
        feed(tokens(count))
        return count / (time.perf_counter() - start)


def encoder_feed(batch: int, length: int) -> dict:
    import numpy as np

    ids = np.array(tokens(batch * length), np.int64).reshape(batch, length)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def time_encoder(run, batch: int, length: int) -> float:
    """Tokens per second; several executions, as one is short."""
    feed = encoder_feed(batch, length)
    time.sleep(PAUSE)
    run(feed)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < 0.5:
        run(feed)
        count += 1
    return count * batch * length / (time.perf_counter() - start)


class Llmopt(Engine):
    def __init__(self, path: str, threads: int):
        import llmopt

        self.model = llmopt.Model(path, threads=threads)
        self.session = self.model.session(max_batch=0 if self.model.is_graph else 1)

    def about(self) -> str:
        return f"llmopt, {self.model.isa}"

    def reset(self) -> None:
        self.session.truncate(0)

    def feed(self, ids: list[int]) -> None:
        self.session.step(ids)

    def feed_all(self, ids: list[int]) -> None:
        self.session.step(ids, want="all")

    def encode(self, batch: int, length: int) -> float:
        return time_encoder(self.session.run, batch, length)


class LlmoptRun(Engine):
    """Generation by the tool llmopt-run, which opens the model every time; that is not timed."""

    def __init__(self, path: str, threads: int):
        from llmopt import locate

        self.command = [str(locate.tool("llmopt-run")), path, f"-threads={threads}", "-time"]

    def about(self) -> str:
        return "llmopt-run"

    def generate(self, beams: int, context: int, count: int) -> float:
        prompt = ",".join(map(str, tokens(context)))
        command = [*self.command, f"-tokens={prompt}", f"-n={count}", f"-beams={beams}"]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        return float(run.stderr.split("generated:")[1].split(",")[1].split()[0])


class Machine(Engine):
    """What the machine can do, measured by llmopt-bench: bytes read per second by all threads, integer multiply-adds per second."""

    def __init__(self, path: str, threads: int):
        from llmopt import locate

        self.command = [str(locate.tool("llmopt-bench")), "-machine", "-json", f"-threads={threads}"]
        self.threads = threads
        self._figures()

    def about(self) -> str:
        return "the machine's limits, by llmopt-bench -machine"

    def _figures(self) -> dict:
        run = subprocess.run(self.command, capture_output=True, text=True, check=True)
        return next(each for each in json.loads(run.stdout)["machine"] if each["threads"] == self.threads)

    def read(self) -> float:
        return self._figures()["read_bytes_per_s"]

    def int8(self) -> float:
        return self._figures()["int8_operations_per_s"] / 2


class LlamaCpp(Engine):
    def __init__(self, path: str, threads: int):
        import llama_cpp

        self.api = llama_cpp
        sizes = {"n_ctx": 1024, "n_batch": 512, "n_ubatch": 512}
        self.llama = llama_cpp.Llama(path, n_threads=threads, n_threads_batch=threads, verbose=False, **sizes)
        self.context = self.llama._ctx.ctx

    def about(self) -> str:
        features = self.api.llama_print_system_info().decode()
        return f"llama.cpp {self.api.__version__}: {features}"

    def reset(self) -> None:
        self.api.llama_memory_clear(self.api.llama_get_memory(self.context), True)

    def feed(self, ids: list[int]) -> None:
        """The batch that asks for the logits of its last token only."""
        array = (self.api.llama_token * len(ids))(*ids)
        if self.api.llama_decode(self.context, self.api.llama_batch_get_one(array, len(ids))) != 0:
            raise RuntimeError("llama_decode failed")
        # Until here the work may still be under way.
        self.api.llama_synchronize(self.context)


class OnnxRuntime(Engine):
    """Logits of all tokens: that is what the exported graph computes. The cache goes round without a copy."""

    def __init__(self, path: str, threads: int):
        import numpy as np
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.numpy, self.ort = np, ort
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.outputs = [value.name for value in self.session.get_outputs()]
        self.caches = {value.name: value.shape for value in self.session.get_inputs() if value.name.startswith("past_key_values")}

    def about(self) -> str:
        return f"onnxruntime {self.ort.__version__}"

    def reset(self) -> None:
        self.past = {}
        for name, (_, heads, _, size) in self.caches.items():
            empty = self.numpy.zeros((1, heads, 0, size if isinstance(size, int) else self._head_dim()), self.numpy.float32)
            self.past[name] = self.ort.OrtValue.ortvalue_from_numpy(empty)
        self.length = 0

    def _head_dim(self) -> int:
        """The builder's signature leaves it open."""
        return json.loads((Path(self.session._model_path).parent / "genai_config.json").read_text())["model"]["decoder"]["head_size"]

    def feed_all(self, ids: list[int]) -> None:
        row, self.length = self.numpy.array([ids], self.numpy.int64), self.length + len(ids)
        feed = {
            "input_ids": row,
            "attention_mask": self.numpy.ones((1, self.length), self.numpy.int64),
            "position_ids": self.numpy.arange(self.length - len(ids), self.length)[None],
        }
        values = {name: self.ort.OrtValue.ortvalue_from_numpy(feed[name]) for name in self.inputs if name in feed}
        results = self.session.run_with_ort_values(self.outputs, {**values, **self.past})
        self.past = {name.replace("present", "past_key_values"): value for name, value in zip(self.outputs, results) if name.startswith("present")}

    feed = feed_all

    def encode(self, batch: int, length: int) -> float:
        return time_encoder(lambda feed: self.session.run(None, {name: feed[name] for name in self.inputs}), batch, length)


class OnnxRuntimeGenai(Engine):
    def __init__(self, path: str, threads: int):
        import onnxruntime_genai as og

        self.og = og
        config = og.Config(path)
        config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": threads}}}}))
        self.model = og.Model(config)
        self.parameters = og.GeneratorParams(self.model)
        self.parameters.set_search_options(max_length=1024, do_sample=False)
        self.generator = None

    def about(self) -> str:
        return f"onnxruntime-genai {self.og.__version__}"

    def reset(self) -> None:
        self.generator = self.og.Generator(self.model, self.parameters)

    def feed(self, ids: list[int]) -> None:
        self.generator.append_tokens(ids)


class OpenVino(Engine):
    """Logits of all tokens, as the graph says; present tensors become the next past. Computes in bf16 where the CPU has it."""

    options: dict = {}

    def __init__(self, path: str, threads: int):
        import numpy as np
        import openvino as ov

        self.numpy, self.version = np, ov.__version__
        options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", **self.options}
        compiled = ov.Core().compile_model(path, "CPU", options)
        self.request = compiled.create_infer_request()
        self.inputs = {name: port for port in compiled.inputs for name in port.names}
        self.outputs = {name: port for port in compiled.outputs for name in port.names}

    def about(self) -> str:
        return f"openvino {self.version}"

    def reset(self) -> None:
        shapes = {name: port.partial_shape for name, port in self.inputs.items() if name.startswith("past_key_values")}
        self.past = {name: self.numpy.zeros((1, shape[1].get_length(), 0, shape[3].get_length()), self.numpy.float32) for name, shape in shapes.items()}
        self.length = 0

    def feed_all(self, ids: list[int]) -> None:
        row, self.length = self.numpy.array([ids], self.numpy.int64), self.length + len(ids)
        feed = {
            "input_ids": row,
            "attention_mask": self.numpy.ones((1, self.length), self.numpy.int64),
            "position_ids": self.numpy.arange(self.length - len(ids), self.length)[None],
        }
        self.request.infer({**{name: feed[name] for name in self.inputs if name in feed}, **self.past})
        # Copied: the request writes to the same memory the next time.
        self.past = {name: self.request.get_tensor(self.outputs[name.replace("past_key_values", "present")]).data.copy() for name in self.past}

    feed = feed_all

    def encode(self, batch: int, length: int) -> float:
        return time_encoder(lambda feed: self.request.infer({name: feed[name] for name in self.inputs}), batch, length)


class OpenVinoF32(OpenVino):
    """Computes in f32 what its model has in f32."""

    options = {"INFERENCE_PRECISION_HINT": "f32"}


ENGINES = {
    "llmopt": Llmopt,
    "llmopt-run": LlmoptRun,
    "machine": Machine,
    "llama.cpp": LlamaCpp,
    "onnxruntime": OnnxRuntime,
    "onnxruntime-genai": OnnxRuntimeGenai,
    "openvino": OpenVino,
    "openvino-f32": OpenVinoF32,
}


def serve(engines: dict) -> None:
    name, path, threads = sys.argv[1:]
    # Figures alone go to the reader: libraries print what they like.
    reader = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    engine = engines[name](path, int(threads))
    print(engine.about(), file=reader)
    for line in sys.stdin:
        print(engine.measure(line), file=reader)


if __name__ == "__main__":
    serve(ENGINES)
