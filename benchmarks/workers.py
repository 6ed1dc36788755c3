"""One engine in one process: loads its model, then measures once for every line on standard input.

usage: workers.py ENGINE MODEL THREADS

Prints a line about itself, then tokens per second: `decode N` steps through N tokens, `prefill N` feeds N tokens at once and wants the
logits of the last (llmopt, llama.cpp), `prefill-all N` those of all (llmopt, onnxruntime). Imports only what its engine needs.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import sys
import time

CONTEXT = 16  # tokens in the cache before the first decode step
VOCABULARY = 49152


def tokens(count: int) -> list[int]:
    """Arbitrary tokens; the same for every engine."""
    return [(7919 * index + 101) % VOCABULARY for index in range(count)]


class Llmopt:
    def __init__(self, path: str, threads: int):
        import llmopt

        self.model = llmopt.Model(path, threads=threads)
        self.session = self.model.session(max_batch=1)

    def about(self) -> str:
        return f"llmopt, {self.model.isa}"

    def reset(self) -> None:
        self.session.truncate(0)

    def feed(self, ids: list[int]) -> None:
        self.session.step(ids)

    def feed_all(self, ids: list[int]) -> None:
        self.session.step(ids, want="all")


class LlamaCpp:
    def __init__(self, path: str, threads: int):
        import llama_cpp

        self.api = llama_cpp
        self.llama = llama_cpp.Llama(path, n_ctx=512, n_batch=512, n_ubatch=512, n_threads=threads, n_threads_batch=threads, verbose=False)
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


class OnnxRuntime:
    """Prefill only, with the logits of all tokens: that is what the exported graph computes."""

    def __init__(self, path: str, threads: int):
        import feeds
        import numpy as np
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.numpy, self.version = np, ort.__version__
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [value.name for value in self.session.get_inputs()]
        self.positions = "position_ids" in names
        self.past = feeds.empty_past(names, batch=1, kv_heads=3, head_dim=64)

    def about(self) -> str:
        return f"onnxruntime {self.version}"

    def reset(self) -> None:
        pass

    def feed_all(self, ids: list[int]) -> None:
        row = self.numpy.array([ids], self.numpy.int64)
        feed = {"input_ids": row, "attention_mask": self.numpy.ones_like(row), **self.past}
        if self.positions:
            feed["position_ids"] = self.numpy.arange(len(ids))[None]
        self.session.run(None, feed)


def measure(engine, kind: str, count: int) -> float:
    """Tokens per second."""
    ids = tokens(count)
    feed = engine.feed_all if kind == "prefill-all" else engine.feed
    engine.reset()
    # Not timed: the threads of the engine that measured before spin for a while, and the caches hold its weights.
    feed(tokens(CONTEXT) if kind == "decode" else ids)
    if kind != "decode":
        engine.reset()
    start = time.perf_counter()
    if kind == "decode":
        for token in ids:
            feed([token])
    else:
        feed(ids)
    return count / (time.perf_counter() - start)


def main() -> None:
    name, path, threads = sys.argv[1:]
    engine = {"llmopt": Llmopt, "llama.cpp": LlamaCpp, "onnxruntime": OnnxRuntime}[name](path, int(threads))
    print(engine.about(), flush=True)
    for line in sys.stdin:
        kind, count = line.split()
        print(measure(engine, kind, int(count)), flush=True)


if __name__ == "__main__":
    main()
