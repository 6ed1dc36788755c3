//===- TestData.h - Data sets of ONNX backend tests -------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_TOOLS_TESTDATA_TESTDATA_H
#define LLMOPT_TOOLS_TESTDATA_TESTDATA_H

#include "llmopt/Runtime.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace llmopt::tools {

/// A tensor of a data set.
struct Tensor {
  std::string name; ///< empty where the file does not say
  int32_t type = 0; ///< llmopt_element_type
  std::vector<int64_t> dims;
  std::vector<char> data; ///< row-major, as llmopt_run takes it

  int64_t elements() const;
  template <typename T> const T *as() const {
    return reinterpret_cast<const T *>(data.data());
  }
};

/// One `test_data_set_K` directory: input_J.pb and output_J.pb.
struct DataSet {
  std::string name;
  std::vector<Tensor> inputs, outputs;
};

/// Reads a TensorProto of numbers or bools, of at most LLMOPT_MAX_RANK
/// dimensions.
llvm::Expected<Tensor> readTensor(llvm::StringRef path);

/// Reads one data set: input_0.pb, ... and output_0.pb, ..., as far as they are
/// there.
llvm::Expected<DataSet> readDataSet(llvm::StringRef path);

/// Reads all data sets of a model's directory, by ascending number; there may
/// be none. Errors have the code std::errc::io_error where a file is missing or
/// cannot be read, and std::errc::invalid_argument where one is malformed.
llvm::Expected<std::vector<DataSet>> readDataSets(llvm::StringRef directory);

} // namespace llmopt::tools

#endif // LLMOPT_TOOLS_TESTDATA_TESTDATA_H
