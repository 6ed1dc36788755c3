# The lit tests of passes, dialects and tools.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import os
import sys

import lit.formats

config.name = "llmopt"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.join(config.llmopt_source_dir, "test", "lit")
config.test_exec_root = os.path.join(config.llmopt_build_dir, "test", "lit")
config.environment["PATH"] = os.pathsep.join(
    [
        os.path.join(config.llmopt_build_dir, "bin"),
        config.llvm_tools_dir,
        os.environ["PATH"],
    ]
)
for name in ("LLMOPT_CORPORA", "LLMOPT_CACHE", "XDG_CACHE_HOME", "HOME"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
config.substitutions.append(("%llmopt_source_dir", config.llmopt_source_dir))
config.substitutions.append(("%python", sys.executable))

# %make_decoder DIRECTORY writes a small model there: model.onnx and model.onnx.data.
config.substitutions.append(
    (
        "%make_decoder",
        f"{sys.executable} {config.test_source_root}/driver/Inputs/make_decoder.py",
    )
)
config.substitutions.append(
    (
        "%protoc_encode",
        f"{config.protoc} --encode=onnx.ModelProto -I{config.onnx_proto_dir} "
        f"{config.onnx_proto_dir}/onnx-ml.proto",
    )
)

config.substitutions.append(("%tools_dir", os.path.join(config.llmopt_build_dir, "bin")))
corpora = os.environ.get("LLMOPT_CORPORA") or os.path.join(
    config.llmopt_source_dir, "..", "shared", "corpora"
)
if os.path.isfile(os.path.join(corpora, "onnx", "node.tar.gz")):
    config.available_features.add("corpora")

# Models that scripts/get-model has made already.
cache = os.environ.get("LLMOPT_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "llmopt"
)
config.tiny_models = os.path.join(cache, "models", "tiny")
config.substitutions.append(("%tiny_models", config.tiny_models))
if os.path.isdir(os.path.join(config.tiny_models, "genai")):
    config.available_features.add("tiny-models")
