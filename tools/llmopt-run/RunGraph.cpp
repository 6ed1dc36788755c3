//===- RunGraph.cpp - Executes a graph model once ---------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-run/RunGraph.h"

#include "tools/common/ModelFlags.h"
#include "tools/testdata/Elements.h"
#include "tools/testdata/GraphInputs.h"
#include "tools/testdata/NumPyFile.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

using namespace llvm;

namespace llmopt::tools {

static int64_t elementsOf(const llmopt_tensor &tensor) {
  int64_t count = 1;
  for (int32_t i = 0; i < tensor.rank; ++i)
    count *= tensor.dims[i];
  return count;
}

/// "y: f32[1, 10] 0.25 -0.5 ... min -0.5 max 0.25".
static void print(StringRef name, const llmopt_tensor &tensor) {
  constexpr int64_t kShown = 8;
  const int64_t count = elementsOf(tensor);
  llmopt_tensor_descriptor shape = {};
  shape.element_type = tensor.element_type;
  shape.rank = tensor.rank;
  std::copy(std::begin(tensor.dims), std::end(tensor.dims), shape.dims);
  outs() << name << ": " << typeText(shape);
  for (int64_t i = 0; i < std::min(count, kShown); ++i)
    outs() << format(" %.6g", valueAt(tensor.data, i, tensor.element_type));
  if (count > kShown) {
    double low = valueAt(tensor.data, 0, tensor.element_type), high = low;
    for (int64_t i = 1; i < count; ++i) {
      const double value = valueAt(tensor.data, i, tensor.element_type);
      low = std::min(low, value);
      high = std::max(high, value);
    }
    outs() << format(" ... (min %.6g, max %.6g)", low, high);
  }
  outs() << '\n';
}

/// Names of tensors may hold anything; those of files must not leave the
/// directory.
static std::string fileName(StringRef directory, StringRef tensor) {
  std::string name = tensor.str();
  std::replace_if(
      name.begin(), name.end(),
      [](char c) { return !isAlnum(c) && !StringRef("._-").contains(c); }, '_');
  SmallString<128> path(directory);
  sys::path::append(path, name + ".npy");
  return path.str().str();
}

static llvm::Error write(StringRef directory, StringRef name,
                         const llmopt_tensor &tensor) {
  if (const std::error_code code = sys::fs::create_directories(directory))
    return createStringError("cannot make '" + directory +
                             "': " + code.message());
  const auto bytes = static_cast<size_t>(elementsOf(tensor)) *
                     llmopt_element_bytes(tensor.element_type);
  return writeNumPyFile(
      fileName(directory, name), tensor.element_type,
      ArrayRef(tensor.dims, static_cast<size_t>(tensor.rank)),
      ArrayRef(static_cast<const char *>(tensor.data), bytes));
}

int runGraph(Model &model, const GraphFiles &files) {
  const llmopt_model_info &info = model.info();
  Expected<std::vector<Tensor>> inputs =
      makeGraphInputs(info, files.inputs, files.dataSet);
  if (!inputs)
    return complain(toString(inputs.takeError()), kUsage);
  Result<Session> session = model.createSession();
  if (!session)
    return complain(session.error());
  const std::vector<llmopt_tensor> given = viewsOf(*inputs);
  std::vector<llmopt_tensor> outputs(info.output_count);
  if (Status status = session->run(given, outputs); !status)
    return complain(status.error());
  for (uint32_t i = 0; i < info.output_count; ++i) {
    print(info.outputs[i].name, outputs[i]);
    if (files.outputs.empty())
      continue;
    if (llvm::Error error =
            write(files.outputs, info.outputs[i].name, outputs[i]))
      return complain(toString(std::move(error)), kResources);
  }
  return kDone;
}

} // namespace llmopt::tools
