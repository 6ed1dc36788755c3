//===- LinearRun.h - A linear kernel and what it needs -----------*- C++
//-*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LLMOPT_BENCHMARKS_KERNELS_LINEARRUN_H
#define LLMOPT_BENCHMARKS_KERNELS_LINEARRUN_H

#include "benchmarks/kernels/BenchSupport.h"
#include "benchmarks/kernels/KernelLibrary.h"
#include <cstring>

namespace llmopt {

struct WeightShape {
  int64_t rows, columns;
};

/// Random bytes of a packed weight. Sparse layouts have a fraction of zeros,
/// int8-2of4 one half in its pattern.
std::vector<uint8_t> packWeight(const PackedFormat &format, WeightShape shape,
                                double zeros);

/// One kernel on one shape with everything that its calls need.
class LinearRun {
public:
  LinearRun(const LinearKernelKey &key, WeightShape shape,
            LinearFunction function, int64_t rows, double zeros)
      : function(function), shape(shape),
        packed(packWeight(key.format, shape, zeros)),
        stride((packed.size() + 63) / 64 * 64), rows(rows),
        xStride(key.group ? QuantizedRow{shape.columns, key.group}.bytes()
                          : shape.columns * 4),
        x(rows * xStride), y(rows * panelCount(shape.rows) * 64),
        scratchStride((scratchBytes(key, shape.columns) + 127) / 64 * 64),
        scratch(scratchStride * 8) {
    // Harmless as floats, codes and scales alike.
    std::fill_n(reinterpret_cast<float *>(x.data()), x.size() / 4, 1.0f);
  }

  /// Whether reading the weight may take longer than the products.
  bool readsMatter() const { return rows <= 6; }
  int64_t bytes() const { return stride; }
  double operations() const { return 2.0 * rows * shape.rows * shape.columns; }
  /// Fills the memory with copies of the weight, returns their number.
  int64_t fill(const HugeBuffer &pool) const {
    int64_t copies = std::max<int64_t>(1, pool.size() / stride);
    for (int64_t i = 0; i < copies; ++i)
      std::memcpy(pool.data() + i * stride, packed.data(), packed.size());
    return copies;
  }
  void operator()(const uint8_t *weight, int64_t thread, int64_t threads) {
    function(x.data(), xStride, weight, reinterpret_cast<float *>(y.data()),
             panelCount(shape.rows) * 16, rows, panelCount(shape.rows),
             shape.columns, thread, threads,
             scratch.data() + thread * scratchStride);
  }

private:
  LinearFunction function;
  WeightShape shape;
  std::vector<uint8_t> packed;
  int64_t stride, rows, xStride;
  HugeBuffer x, y;
  int64_t scratchStride;
  HugeBuffer scratch;
};

} // namespace llmopt

#endif // LLMOPT_BENCHMARKS_KERNELS_LINEARRUN_H
