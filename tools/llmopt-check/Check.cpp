//===- Check.cpp - Runs data sets through a compiled model ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-check/Check.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <cmath>

using namespace llmopt::check;

static llvm::Error runtimeError() {
  return llvm::createStringError(llmopt_last_error());
}

//===----------------------------------------------------------------------===//
// Padding
//===----------------------------------------------------------------------===//

namespace {

/// Which rows and keys of a data set are not padding.
class Validity {
public:
  Validity(const llmopt_model_info &info,
           const std::vector<const Tensor *> &inputs) {
    for (uint32_t i = 0; i < info.input_count; ++i) {
      if (info.inputs[i].role == LLMOPT_ROLE_MASK)
        mask = inputs[i];
      if (info.inputs[i].role == LLMOPT_ROLE_TOKENS)
        sequence = inputs[i]->dims[1];
    }
    isRight = info.padding == LLMOPT_PADDING_RIGHT;
  }

  /// Keys that a batch row has: only their count matters with padding on the
  /// right.
  bool isKeyValid(int64_t row, int64_t key) const {
    if (!mask || key >= total())
      return true;
    return isRight ? key < count(row) : isKept(row, key);
  }

  /// The logits of new token `token` of a batch row.
  bool isTokenValid(int64_t row, int64_t token) const {
    if (!mask)
      return true;
    if (isRight)
      return total() != sequence || token < count(row);
    return isKept(row, total() - sequence + token);
  }

private:
  int64_t total() const { return mask->dims[1]; }
  bool isKept(int64_t row, int64_t key) const {
    int64_t index = row * total() + key;
    return mask->type == LLMOPT_I64 ? mask->as<int64_t>()[index] != 0
                                    : mask->as<int32_t>()[index] != 0;
  }
  int64_t count(int64_t row) const {
    int64_t kept = 0;
    for (int64_t key = 0; key < total(); ++key)
      kept += isKept(row, key);
    return kept;
  }

  const Tensor *mask = nullptr;
  int64_t sequence = 0;
  bool isRight = false;
};

} // namespace

//===----------------------------------------------------------------------===//
// Comparison
//===----------------------------------------------------------------------===//

static std::string describe(llvm::StringRef name, int64_t index, float value,
                            float reference) {
  std::string text;
  llvm::raw_string_ostream(text)
      << "'" << name << "' element " << index << " is "
      << llvm::format("%.9g, expected %.9g", value, reference);
  return text;
}

/// Compares `count` consecutive values.
static void compareValues(const Tensor &reference, const float *actual,
                          int64_t first, int64_t count,
                          const Tolerance &tolerance, Comparison &result) {
  const float *expected = reference.as<float>();
  for (int64_t i = first; i < first + count; ++i) {
    double size = std::fabs(expected[i]),
           difference = std::fabs(double(actual[i]) - expected[i]);
    // Equal infinities have no difference; a NaN fails every comparison.
    if (actual[i] == expected[i])
      difference = 0;
    result.worst = std::max(result.worst, difference / std::max(1.0, size));
    ++result.compared;
    if (difference <= std::max(tolerance.absolute, tolerance.relative * size))
      continue;
    if (result.mismatches++ == 0)
      result.firstMismatch =
          describe(reference.name, i, actual[i], expected[i]);
  }
}

static void compareTensor(const llmopt_tensor_descriptor &signature,
                          const Tensor &reference, const float *actual,
                          const Validity &validity, const Tolerance &tolerance,
                          Comparison &result) {
  llvm::ArrayRef<int64_t> dims = reference.dims;
  bool isCache = signature.role != LLMOPT_ROLE_LOGITS;
  int64_t width = dims.back();
  int64_t heads = isCache ? dims[1] : 1, tokens = dims[dims.size() - 2];
  int64_t offset = 0;
  for (int64_t row = 0; row < dims[0]; ++row)
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t token = 0; token < tokens; ++token, offset += width)
        if (isCache ? validity.isKeyValid(row, token)
                    : validity.isTokenValid(row, token))
          compareValues(reference, actual, offset, width, tolerance, result);
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

/// The tensors in the order of the signature: by name where the files have
/// names, by position otherwise. Null where there is none.
static std::vector<const Tensor *>
arrange(const std::vector<Tensor> &tensors,
        const llmopt_tensor_descriptor *signature, uint32_t count) {
  std::vector<const Tensor *> result(count, nullptr);
  for (uint32_t i = 0; i < count; ++i) {
    auto named = llvm::find_if(tensors, [&](const Tensor &tensor) {
      return tensor.name == signature[i].name;
    });
    if (named != tensors.end())
      result[i] = &*named;
    else if (i < tensors.size() && tensors[i].name.empty())
      result[i] = &tensors[i];
  }
  return result;
}

static std::string shapeText(llvm::ArrayRef<int64_t> dims) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '[';
  llvm::interleaveComma(dims, os);
  os << ']';
  return text;
}

static llvm::Expected<std::vector<llmopt_tensor>>
makeInputs(const llmopt_model_info &info,
           const std::vector<const Tensor *> &tensors) {
  std::vector<llmopt_tensor> inputs(info.input_count);
  for (uint32_t i = 0; i < info.input_count; ++i) {
    if (!tensors[i])
      return llvm::createStringError("the data set has no input '" +
                                     llvm::Twine(info.inputs[i].name) + "'");
    inputs[i].element_type = tensors[i]->type;
    inputs[i].rank = tensors[i]->dims.size();
    llvm::copy(tensors[i]->dims, inputs[i].dims);
    inputs[i].data = const_cast<char *>(tensors[i]->data.data());
  }
  return inputs;
}

llvm::Expected<Comparison>
llmopt::check::checkDataSet(llmopt_model *model, const DataSet &set,
                            const Tolerance &tolerance) {
  const llmopt_model_info &info = *llmopt_info(model);
  std::vector<const Tensor *> given =
      arrange(set.inputs, info.inputs, info.input_count);
  llvm::Expected<std::vector<llmopt_tensor>> inputs = makeInputs(info, given);
  if (!inputs)
    return inputs.takeError();
  llmopt_session *session = nullptr;
  if (llmopt_session_create(model, nullptr, &session))
    return runtimeError();
  llvm::scope_exit destroy([&] { llmopt_session_destroy(session); });
  std::vector<llmopt_tensor> outputs(info.output_count);
  if (llmopt_run(session, inputs->data(), inputs->size(), outputs.data(),
                 outputs.size()))
    return runtimeError();

  Validity validity(info, given);
  Comparison result;
  std::vector<const Tensor *> expected =
      arrange(set.outputs, info.outputs, info.output_count);
  for (uint32_t i = 0; i < info.output_count; ++i) {
    if (!expected[i])
      continue;
    llvm::ArrayRef<int64_t> dims(outputs[i].dims, outputs[i].rank);
    if (dims != llvm::ArrayRef<int64_t>(expected[i]->dims) ||
        expected[i]->type != LLMOPT_F32)
      return llvm::createStringError(
          "output '" + llvm::Twine(info.outputs[i].name) + "' has shape " +
          shapeText(dims) + ", expected f32 " + shapeText(expected[i]->dims));
    compareTensor(info.outputs[i], *expected[i],
                  static_cast<const float *>(outputs[i].data), validity,
                  tolerance, result);
  }
  if (result.compared == 0)
    return llvm::createStringError("the data set has no values to compare");
  return result;
}
