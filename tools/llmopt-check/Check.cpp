//===- Check.cpp - Runs data sets through a compiled model ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/llmopt-check/Check.h"
#include "tools/testdata/Elements.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/raw_ostream.h"

using namespace llmopt::check;
using namespace llmopt::tools;

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

namespace {

/// Where elements stand in a tensor of [batch, (heads,) tokens, width].
struct Places {
  int64_t rowSize, width, tokens;

  explicit Places(llvm::ArrayRef<int64_t> dims)
      : rowSize(llvm::product_of(dims.drop_front())), width(dims.back()),
        tokens(dims[dims.size() - 2]) {}
  int64_t row(int64_t index) const { return index / rowSize; }
  int64_t token(int64_t index) const { return index / width % tokens; }
};

} // namespace

/// Leaves padding out.
static void compareDecoderOutput(const llmopt_tensor_descriptor &signature,
                                 const Tensor &reference, const void *actual,
                                 const Validity &validity,
                                 const Tolerance &tolerance,
                                 Comparison &result) {
  bool isCache = signature.role != LLMOPT_ROLE_LOGITS;
  Places places(reference.dims);
  compareElements(
      reference, signature.name, actual, tolerance,
      [&](int64_t index) {
        int64_t row = places.row(index), token = places.token(index);
        return isCache ? validity.isKeyValid(row, token)
                       : validity.isTokenValid(row, token);
      },
      result);
}

/// The output of a graph is defined everywhere, or in the first tokens of each
/// row: `lengths` holds the index of the last one.
static void compareGraphOutput(const llmopt_tensor_descriptor &signature,
                               const Tensor &reference, const void *actual,
                               const Tensor *lengths,
                               const Tolerance &tolerance, Comparison &result) {
  bool isCut = lengths && reference.dims.size() >= 3 &&
               reference.dims[0] == lengths->elements();
  if (!isCut)
    return compareElements(
        reference, signature.name, actual, tolerance,
        [](int64_t) { return true; }, result);
  Places places(reference.dims);
  compareElements(
      reference, signature.name, actual, tolerance,
      [&](int64_t index) {
        return places.token(index) <=
               valueAt(lengths->data.data(), places.row(index), lengths->type);
      },
      result);
}

//===----------------------------------------------------------------------===//
// Tensors of the signature
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

/// Compares output `index`; an error if it has another type or shape.
static llvm::Error compareOutput(const llmopt_model_info &info, uint32_t index,
                                 const llmopt_tensor &actual,
                                 const Tensor &reference,
                                 const std::vector<const Tensor *> &inputs,
                                 const CheckOptions &options,
                                 Comparison &result) {
  const llmopt_tensor_descriptor &signature = info.outputs[index];
  llvm::ArrayRef<int64_t> dims(actual.dims, actual.rank);
  if (dims != llvm::ArrayRef<int64_t>(reference.dims) ||
      reference.type != actual.element_type)
    return llvm::createStringError(
        "output '" + llvm::Twine(signature.name) + "' is " +
        describe(actual.element_type).name + " " + shapeText(dims) +
        ", expected " + describe(reference.type).name + " " +
        shapeText(reference.dims));
  if (info.kind == LLMOPT_KIND_DECODER) {
    compareDecoderOutput(signature, reference, actual.data,
                         Validity(info, inputs), options.tolerance, result);
    return llvm::Error::success();
  }
  const Tensor *lengths = nullptr;
  for (uint32_t i = 0; i < info.input_count; ++i)
    if (options.lengths == info.inputs[i].name)
      lengths = inputs[i];
  compareGraphOutput(signature, reference, actual.data, lengths,
                     options.tolerance, result);
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

namespace {

/// A session and its executions of the same inputs.
class Execution {
public:
  Execution(llmopt_model *model, const std::vector<llmopt_tensor> &inputs)
      : model(model), inputs(inputs),
        outputs(llmopt_info(model)->output_count) {}
  Execution(const Execution &) = delete;
  Execution &operator=(const Execution &) = delete;
  ~Execution() { llmopt_session_destroy(session); }

  llvm::Error run();
  /// The outputs of the last run.
  std::vector<Tensor> copy() const;
  /// An error unless the outputs of the last run are `expected`.
  llvm::Error compare(const std::vector<Tensor> &expected,
                      llvm::StringRef what) const;

  llmopt_model *model;
  llmopt_session *session = nullptr;
  const std::vector<llmopt_tensor> &inputs;
  std::vector<llmopt_tensor> outputs;
};

} // namespace

llvm::Error Execution::run() {
  if ((!session && llmopt_session_create(model, nullptr, &session)) ||
      llmopt_run(session, inputs.data(), inputs.size(), outputs.data(),
                 outputs.size()))
    return llvm::createStringError(llmopt_last_error());
  return llvm::Error::success();
}

std::vector<Tensor> Execution::copy() const {
  std::vector<Tensor> tensors(outputs.size());
  for (auto [tensor, output] : llvm::zip(tensors, outputs)) {
    tensor.type = output.element_type;
    tensor.dims.assign(output.dims, output.dims + output.rank);
    const auto *data = static_cast<const char *>(output.data);
    int64_t bytes = tensor.elements() * llmopt_element_bytes(tensor.type);
    if (bytes)
      tensor.data.assign(data, data + bytes);
  }
  return tensors;
}

llvm::Error Execution::compare(const std::vector<Tensor> &expected,
                               llvm::StringRef what) const {
  Comparison result;
  std::vector<Tensor> actual = copy();
  for (auto [index, tensor] : llvm::enumerate(actual)) {
    llvm::StringRef name = llmopt_info(model)->outputs[index].name;
    if (tensor.dims != expected[index].dims)
      return llvm::createStringError(what + " gives another shape of output '" +
                                     name + "': " + shapeText(tensor.dims) +
                                     ", not " +
                                     shapeText(expected[index].dims));
    compareElements(
        expected[index], name, tensor.data.data(),
        Tolerance{Tolerance::Larger, 0, 0}, [](int64_t) { return true; },
        result);
  }
  if (result.mismatches)
    return llvm::createStringError(
        what + " gives other results: " + llvm::Twine(result.mismatches) +
        " values, the first: " + result.firstMismatch);
  return llvm::Error::success();
}

static llvm::Expected<Comparison>
compareOutputs(const llmopt_model_info &info,
               const std::vector<llmopt_tensor> &outputs, const DataSet &set,
               const std::vector<const Tensor *> &given,
               const CheckOptions &options) {
  std::vector<const Tensor *> expected =
      arrange(set.outputs, info.outputs, info.output_count);
  for (const Tensor &tensor : set.outputs)
    if (!llvm::is_contained(expected, &tensor))
      return llvm::createStringError("the model has no output '" +
                                     llvm::Twine(tensor.name) +
                                     "' of the data set");
  Comparison result;
  for (uint32_t i = 0; i < info.output_count; ++i)
    if (expected[i])
      if (llvm::Error error = compareOutput(info, i, outputs[i], *expected[i],
                                            given, options, result))
        return std::move(error);
  return result;
}

llvm::Expected<Comparison>
llmopt::check::checkDataSet(llmopt_model *model, llmopt_model *alone,
                            const DataSet &set, const CheckOptions &options) {
  const llmopt_model_info &info = *llmopt_info(model);
  std::vector<const Tensor *> given =
      arrange(set.inputs, info.inputs, info.input_count);
  llvm::Expected<std::vector<llmopt_tensor>> inputs = makeInputs(info, given);
  if (!inputs)
    return inputs.takeError();
  Execution first(model, *inputs);
  if (llvm::Error error = first.run())
    return std::move(error);
  llvm::Expected<Comparison> result =
      compareOutputs(info, first.outputs, set, given, options);
  if (!result || result->mismatches)
    return result;
  const std::vector<Tensor> outputs = first.copy();
  llvm::Error second = first.run();
  if (!second)
    second = first.compare(outputs, "a second execution");
  if (second)
    return std::move(second);
  Execution single(alone, *inputs);
  llvm::Error third = single.run();
  if (!third)
    third = single.compare(outputs, "one thread");
  if (third)
    return std::move(third);
  return result;
}
