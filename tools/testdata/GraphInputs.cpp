//===- GraphInputs.cpp - Inputs of a graph from the command line ----------===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/testdata/GraphInputs.h"
#include "tools/testdata/Elements.h"
#include "tools/testdata/NumPyFile.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>
#include <random>

using namespace llmopt::tools;

std::string llmopt::tools::typeText(const llmopt_tensor_descriptor &tensor) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << describe(tensor.element_type).name << '[';
  for (int32_t i = 0; i < tensor.rank; ++i) {
    os << (i ? ", " : "");
    tensor.dims[i] < 0 ? os << '?' : os << tensor.dims[i];
  }
  os << ']';
  return text;
}

static llvm::Error fail(const llmopt_tensor_descriptor &input,
                        const llvm::Twine &reason) {
  return llvm::createStringError("input '" + llvm::Twine(input.name) +
                                 "': " + reason);
}

/// Random elements for any type: those of less than 32 bits are 0 or 1 as bit
/// patterns, which are small numbers in all formats.
static void fillRandomly(Tensor &tensor, std::mt19937 &random) {
  std::uniform_real_distribution<float> distribution(-1, 1);
  for (int64_t i = 0, count = tensor.elements(); i < count; ++i) {
    char *element = tensor.data.data() + i * llmopt_element_bytes(tensor.type);
    float value = distribution(random);
    if (tensor.type == LLMOPT_F32) {
      memcpy(element, &value, sizeof(value));
    } else if (tensor.type == LLMOPT_F64) {
      double wide = value;
      memcpy(element, &wide, sizeof(wide));
    } else if (tensor.type == LLMOPT_F16 || tensor.type == LLMOPT_BF16) {
      bool lost;
      llvm::APFloat number(value);
      number.convert(tensor.type == LLMOPT_F16 ? llvm::APFloat::IEEEhalf()
                                               : llvm::APFloat::BFloat(),
                     llvm::APFloat::rmNearestTiesToEven, &lost);
      auto bits = number.bitcastToAPInt().getZExtValue();
      memcpy(element, &bits, 2);
    } else {
      *element = value > 0;
    }
  }
}

/// A tensor of these dimensions, if they are dimensions of the input.
static llvm::Expected<Tensor> makeRandom(const llmopt_tensor_descriptor &input,
                                         std::vector<int64_t> dims,
                                         std::mt19937 &random) {
  Tensor tensor;
  tensor.type = input.element_type;
  int64_t bytes = llmopt_element_bytes(input.element_type);
  for (int64_t dim : dims)
    if (dim < 0 || llvm::MulOverflow(bytes, dim, bytes) ||
        bytes > (INT64_C(1) << 40))
      return fail(input, "its dimensions are too large");
  tensor.dims = std::move(dims);
  tensor.data.resize(bytes);
  fillRandomly(tensor, random);
  return tensor;
}

/// Reads "2x3xf32"; empty dimensions are a scalar.
static llvm::Expected<std::vector<int64_t>>
readDims(const llmopt_tensor_descriptor &input, llvm::StringRef text) {
  std::vector<int64_t> dims;
  for (llvm::StringRef rest = text; !rest.empty();) {
    auto [part, others] = rest.split('x');
    int64_t dim;
    if (others.empty() && part == describe(input.element_type).name)
      break;
    if (part.getAsInteger(10, dim) || dim < 0)
      return fail(input, "expected sizes such as 2x3, a .npy or a .pb file, "
                         "not '" +
                             text + "'; it is " + typeText(input));
    dims.push_back(dim);
    rest = others;
  }
  return dims;
}

static llvm::Expected<Tensor>
makeFromSpec(const llmopt_tensor_descriptor &input, llvm::StringRef value,
             std::mt19937 &random) {
  if (value.ends_with(".npy"))
    return readNumPyFile(value, input.element_type);
  if (value.ends_with(".pb"))
    return readTensor(value);
  llvm::Expected<std::vector<int64_t>> dims = readDims(input, value);
  if (!dims)
    return dims.takeError();
  return makeRandom(input, std::move(*dims), random);
}

/// The tensor of the data set for input `index`, by name or position, or null.
static const Tensor *findIn(const std::vector<Tensor> &tensors,
                            llvm::StringRef name, size_t index) {
  auto named = llvm::find_if(
      tensors, [&](const Tensor &tensor) { return tensor.name == name; });
  if (named != tensors.end())
    return &*named;
  return index < tensors.size() && tensors[index].name.empty() ? &tensors[index]
                                                               : nullptr;
}

static llvm::Expected<Tensor> makeOne(const llmopt_model_info &info,
                                      uint32_t index,
                                      llvm::ArrayRef<std::string> specs,
                                      const std::vector<Tensor> &data,
                                      std::mt19937 &random) {
  const llmopt_tensor_descriptor &input = info.inputs[index];
  for (llvm::StringRef spec : specs)
    if (spec.rsplit('=').first == input.name)
      return makeFromSpec(input, spec.rsplit('=').second, random);
  if (const Tensor *tensor = findIn(data, input.name, index))
    return *tensor;
  std::vector<int64_t> dims(input.dims, input.dims + input.rank);
  if (llvm::is_contained(dims, LLMOPT_DYNAMIC))
    return fail(input, "it is " + typeText(input) +
                           ": say what it is with -input=" + input.name +
                           "=2x3, a .npy or a .pb file");
  return makeRandom(input, std::move(dims), random);
}

llvm::Expected<std::vector<Tensor>>
llmopt::tools::makeGraphInputs(const llmopt_model_info &info,
                               llvm::ArrayRef<std::string> specs,
                               llvm::StringRef dataSet) {
  std::vector<Tensor> data, tensors;
  if (!dataSet.empty()) {
    llvm::Expected<DataSet> set = readDataSet(dataSet);
    if (!set)
      return set.takeError();
    data = std::move(set->inputs);
  }
  llvm::ArrayRef<llmopt_tensor_descriptor> inputs(info.inputs,
                                                  info.input_count);
  for (llvm::StringRef spec : specs)
    if (llvm::none_of(inputs, [&](const llmopt_tensor_descriptor &input) {
          return spec.contains('=') && spec.rsplit('=').first == input.name;
        }))
      return llvm::createStringError("-input expects NAME=VALUE with the name "
                                     "of an input, not '" +
                                     spec + "'");
  std::mt19937 random;
  for (uint32_t i = 0; i < info.input_count; ++i) {
    llvm::Expected<Tensor> tensor = makeOne(info, i, specs, data, random);
    if (!tensor)
      return tensor.takeError();
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

std::vector<llmopt_tensor>
llmopt::tools::viewsOf(std::vector<Tensor> &tensors) {
  std::vector<llmopt_tensor> views(tensors.size());
  for (auto [view, tensor] : llvm::zip(views, tensors)) {
    view.element_type = tensor.type;
    view.rank = static_cast<int32_t>(tensor.dims.size());
    llvm::copy(tensor.dims, view.dims);
    view.data = tensor.data.data();
    view.capacity = tensor.data.size();
  }
  return views;
}
