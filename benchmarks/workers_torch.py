"""The engines of PyTorch, as in workers.py.

usage: workers_torch.py ENGINE MODEL THREADS

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import threading
import time
import warnings
from pathlib import Path

import torch
import torch.utils.mkldnn
import transformers
from workers import Engine, serve, tokens

transformers.utils.logging.disable_progress_bar()
torch.set_grad_enabled(False)


class Torch(Engine):
    """A decoder of Hugging Face, eager, float32."""

    def __init__(self, path: str, threads: int):
        torch.set_num_threads(threads)
        self.model = self.prepare(transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval())

    def prepare(self, model):
        return model

    def about(self) -> str:
        return f"torch {torch.__version__}, transformers {transformers.__version__}"

    def reset(self) -> None:
        self.cache = transformers.DynamicCache()

    def feed(self, ids: list[int]) -> None:
        row = torch.tensor([ids])
        self.model(input_ids=row, past_key_values=self.cache, use_cache=True, logits_to_keep=1)


class TorchBfloat16(Torch):
    def prepare(self, model):
        return model.to(torch.bfloat16)


class TorchInt8(Torch):
    """Dynamic quantization: int8 weights of all linears, activations per tensor at run time."""

    def prepare(self, model):
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)


class TorchCompile(Torch):
    """Compiled for every length that is asked for, without a cache: prefill only."""

    def prepare(self, model):
        return torch.compile(model, dynamic=False)

    def feed(self, ids: list[int]) -> None:
        self.model(input_ids=torch.tensor([ids]), use_cache=False, logits_to_keep=1)

    def _prefill(self, feed, count: int) -> float:
        # Not with another length before: that would be compiled, too.
        feed(tokens(count))
        start = time.perf_counter()
        feed(tokens(count))
        return count / (time.perf_counter() - start)

    def reset(self) -> None:
        pass


class Pauses(transformers.StoppingCriteria):
    """Lets a generation wait after every N tokens until somebody asks for the next N."""

    def __init__(self):
        self.wanted, self.done, self.seconds, self.left = threading.Semaphore(0), threading.Semaphore(0), 0.0, 0
        self.count, self.started, self.ended = 0, 0.0, False

    def begin(self, count: int) -> None:
        self.count = count
        self.wanted.release()

    def resume(self) -> None:
        self.wanted.acquire()
        self.left, self.started = self.count, time.perf_counter()

    def __call__(self, input_ids, scores, **_):
        self.left -= 1
        if self.left == 0:
            self.seconds = time.perf_counter() - self.started
            self.done.release()
            self.resume()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool)


class HuggingFace(Engine):
    """generate() of transformers on a model of scripts/get-model shape:NAME, float32. One generation per number of beams, which pauses between
    the measurements: `generate BEAMS CONTEXT N` continues it by N tokens, so that it has CONTEXT tokens before."""

    def __init__(self, path: str, threads: int):
        import shapes

        torch.set_num_threads(threads)
        self.model = shapes.load_pytorch(Path(path).name, Path(path))
        self.running: dict[int, tuple[Pauses, int]] = {}

    def about(self) -> str:
        return f"transformers {transformers.__version__}, torch {torch.__version__}, float32"

    def start(self, beams: int, context: int) -> Pauses:
        pauses = Pauses()

        def work() -> None:
            torch.set_grad_enabled(False)
            pauses.resume()
            try:
                self.model.generate(
                    torch.tensor([tokens(context)]),
                    max_new_tokens=self.model.config.max_position_embeddings - context,
                    num_beams=beams,
                    do_sample=False,
                    stopping_criteria=transformers.StoppingCriteriaList([pauses]),
                )
            finally:  # whoever waits must not wait for ever
                pauses.ended = True
                pauses.done.release()

        threading.Thread(target=work, daemon=True).start()
        # The prompt and one token are not measured.
        pauses.begin(1)
        self.wait(pauses)
        return pauses

    @staticmethod
    def wait(pauses: Pauses) -> None:
        pauses.done.acquire()
        if pauses.ended:
            raise RuntimeError("the generation ended early")

    def generate(self, beams: int, context: int, count: int) -> float:
        pauses, length = self.running.get(beams) or (None, 0)
        if length != context:
            pauses = self.start(beams, context)
        pauses.begin(count)
        self.wait(pauses)
        self.running[beams] = (pauses, context + count)
        return count / pauses.seconds


class Gemm(Engine):
    """oneDNN's products: `f32`, `bf16` and `int8` M K N, multiply-adds per second."""

    def __init__(self, path: str, threads: int):
        torch.set_num_threads(threads)
        self.layers = {}

    def about(self) -> str:
        return f"oneDNN in torch {torch.__version__}"

    def layer(self, kind: str, inputs: int, outputs: int):
        if (kind, inputs, outputs) not in self.layers:
            layer = torch.nn.Linear(inputs, outputs, bias=False)
            if kind == "int8":
                torch.backends.quantized.engine = "onednn"
                layer = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(layer), {torch.nn.Linear}, dtype=torch.qint8)
            elif kind == "bf16":
                layer = layer.to(torch.bfloat16)
            else:
                layer = torch.utils.mkldnn.to_mkldnn(layer)
            self.layers[kind, inputs, outputs] = layer
        return self.layers[kind, inputs, outputs]

    def _rate(self, kind: str, rows: int, inputs: int, outputs: int) -> float:
        layer = self.layer(kind, inputs, outputs)
        x = torch.randn(rows, inputs, dtype=torch.bfloat16 if kind == "bf16" else torch.float32)
        if kind == "f32":
            x = x.to_mkldnn()  # otherwise the product is another library's
        layer(x)
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < 0.3:
            layer(x)
            count += 1
        return count * rows * inputs * outputs / (time.perf_counter() - start)

    def f32(self, *sizes: int) -> float:
        return self._rate("f32", *sizes)

    def bf16(self, *sizes: int) -> float:
        return self._rate("bf16", *sizes)

    def int8(self, *sizes: int) -> float:
        return self._rate("int8", *sizes)


ENGINES = {
    "torch": Torch,
    "torch-bf16": TorchBfloat16,
    "torch-int8": TorchInt8,
    "torch-compile": TorchCompile,
    "huggingface": HuggingFace,
    "gemm": Gemm,
}

if __name__ == "__main__":
    serve(ENGINES)
