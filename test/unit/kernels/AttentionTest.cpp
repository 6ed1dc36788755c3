//===- AttentionTest.cpp - Attention kernels against a scalar reference ---===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelTest.h"
#include "runtime/PagePart.h"
#include <cmath>
#include <limits>

using namespace llmopt;

namespace {

constexpr int64_t kLayers = 2, kLayer = 1, kMaxPositions = 768;

struct SequenceShape {
  int64_t past, rows;
  /// Keys that are hidden: hidden % 10 < hiddenTenths, and the first
  /// leftPadding ones.
  int64_t leftPadding = 0, hiddenTenths = 0;
};

/// A sequence with its own pages, which start out as NaN.
struct Sequence {
  Sequence(SequenceShape shape, const AttentionKernelKey &key, int64_t firstRow)
      : shape(shape), tokens(shape.past + shape.rows) {
    int64_t bytes =
        llmopt_page_bytes(key.kv, kLayers, key.kvHeads, key.headDim);
    for (int64_t page = 0; page < (tokens + 63) / 64; ++page) {
      pages.emplace_back(bytes);
      std::fill_n(pages.back().data(), bytes / 4, NAN);
    }
    for (Buffer &page : pages)
      table.push_back(reinterpret_cast<uint8_t *>(page.data()));
    for (int64_t token = 0; token < tokens; ++token)
      mask.push_back(token >= shape.leftPadding &&
                     token % 10 >= shape.hiddenTenths);
    // One exact byte array, so that a checker sees any read past its end.
    bool masked = shape.leftPadding || shape.hiddenTenths;
    segment = {static_cast<uint32_t>(firstRow),
               static_cast<uint32_t>(shape.rows),
               static_cast<uint32_t>(shape.past),
               0,
               table.data(),
               masked ? mask.data() : nullptr};
  }

  /// A key or value as the cache holds it.
  std::vector<float> read(const AttentionKernelKey &key, int64_t token,
                          int64_t head, bool isKey) const {
    uint8_t *part =
        table[token / 64] +
        llmopt_page_offset(key.kv, key.kvHeads, key.headDim, kLayer, head) +
        (isKey ? 0 : llmopt_page_part_bytes(key.kv, key.headDim));
    std::vector<float> components(key.headDim);
    runtime::PagePart(part, key.kv, key.headDim, isKey)
        .read(token % 64, components.data());
    return components;
  }
  std::vector<float> keyAt(const AttentionKernelKey &key, int64_t token,
                           int64_t head) const {
    return read(key, token, head, true);
  }
  std::vector<float> valueAt(const AttentionKernelKey &key, int64_t token,
                             int64_t head) const {
    return read(key, token, head, false);
  }

  SequenceShape shape;
  int64_t tokens;
  std::vector<Buffer> pages;
  std::vector<uint8_t *> table;
  std::vector<uint8_t> mask;
  llmopt_segment segment;
};

/// A batch of sequences; first their past is appended, then their new rows.
struct Batch {
  Batch(const KernelLibrary &library, const AttentionKernelKey &attention,
        std::vector<SequenceShape> shapes, int64_t threads,
        bool inParts = false)
      : library(library), attention(attention), rope(attention),
        threads(threads), inParts(inParts) {
    rope.kernel = AttentionKernel::RopeAppend;
    rope.scale = 1;
    rope.window = 0;
    rope.softcap = 0;
    append = library.get<RopeAppendFunction>(kernelName(rope));
    attend = library.get<AttentionFunction>(kernelName(attention));
    stride = (attention.heads + 2 * attention.kvHeads) * attention.headDim;
    for (SequenceShape shape : shapes) {
      sequences.emplace_back(shape, attention, rows);
      rows += shape.rows;
    }
    makeTable();
  }

  void makeTable() {
    int64_t half = attention.headDim / 2;
    for (int64_t position = 0; position < kMaxPositions; ++position)
      for (int64_t i = 0; i < 2 * half; ++i) {
        double angle = position * std::pow(10000.0, -(i % half) / double(half));
        table.push_back(i < half ? std::cos(angle) : std::sin(angle));
      }
  }

  /// Appends tokens first..first+count-1 of one sequence from fresh random
  /// rows.
  Buffer appendRows(std::vector<llmopt_segment> segments,
                    std::vector<int32_t> positions, uint32_t seed) {
    int64_t count = positions.size();
    Buffer qkv(count * stride * 4);
    std::vector<float> values = randomFloats(count * stride, seed);
    std::memcpy(qkv.data(), values.data(), values.size() * 4);
    original.assign(values.begin(), values.end());
    llmopt_call call = makeCall(segments, positions);
    for (int64_t thread = 0; thread < threads; ++thread)
      append(&call, qkv.data(), stride, table.data(), kLayer, thread, threads);
    EXPECT_TRUE(qkv.guardIntact());
    return qkv;
  }

  llmopt_call makeCall(const std::vector<llmopt_segment> &segments,
                       const std::vector<int32_t> &positions) {
    llmopt_call call = {};
    call.threads = threads;
    call.rows = positions.size();
    call.segment_count = segments.size();
    call.segments = segments.data();
    call.positions = positions.data();
    return call;
  }

  void run() {
    uint32_t seed = 21;
    for (Sequence &sequence : sequences) {
      if (sequence.shape.past == 0)
        continue;
      llmopt_segment past = sequence.segment;
      past.first_row = 0;
      past.rows = sequence.shape.past;
      past.past = 0;
      appendRows({past}, positionsOf(0, sequence.shape.past), seed++);
    }
    std::vector<llmopt_segment> segments;
    for (const Sequence &sequence : sequences) {
      segments.push_back(sequence.segment);
      for (int32_t position :
           positionsOf(sequence.shape.past, sequence.shape.rows))
        positions.push_back(position);
    }
    qkv = appendRows(segments, positions, seed);
    yStride = attention.heads * attention.headDim;
    y = Buffer(rows * yStride * 4);
    llmopt_call call = makeCall(segments, positions);
    if (inParts)
      return runParts(call);
    for (int64_t thread = 0; thread < threads; ++thread) {
      Buffer scratch(scratchBytes(attention));
      attend(&call, qkv.data(), stride, y.data(), yStride, kLayer, thread,
             threads, scratch.data());
      EXPECT_TRUE(scratch.guardIntact());
    }
    EXPECT_TRUE(y.guardIntact());
    for (const Sequence &sequence : sequences)
      for (const Buffer &page : sequence.pages)
        EXPECT_TRUE(page.guardIntact());
  }

  /// The only row as llmopt's entry for one row computes it: in parts, which
  /// every thread brings together.
  void runParts(const llmopt_call &call) {
    AttentionKernelKey partsKey = partsKernel(attention);
    auto attendParts = library.get<AttentionFunction>(kernelName(partsKey));
    auto merge = library.get<MergeFunction>(kernelName(mergeKernel(attention)));
    ASSERT_NE(attendParts, nullptr);
    ASSERT_NE(merge, nullptr);
    Buffer parts(
        partsFloats(attention.heads, attention.headDim, partsKey.parts) * 4);
    std::fill_n(parts.data(), parts.size() / 4, NAN);
    for (int64_t thread = 0; thread < threads; ++thread) {
      Buffer scratch(scratchBytes(partsKey));
      attendParts(&call, qkv.data(), stride, parts.data(), yStride, kLayer,
                  thread, threads, scratch.data());
      EXPECT_TRUE(scratch.guardIntact());
    }
    merge(&call, parts.data(), y.data());
    EXPECT_TRUE(parts.guardIntact());
    EXPECT_TRUE(y.guardIntact());
  }

  /// Positions need not be those of the cache: they are offset by 3 here.
  static std::vector<int32_t> positionsOf(int64_t first, int64_t count) {
    std::vector<int32_t> positions;
    for (int64_t i = 0; i < count; ++i)
      positions.push_back(first + i + 3);
    return positions;
  }

  const KernelLibrary &library;
  AttentionKernelKey attention, rope;
  int64_t threads;
  bool inParts;
  int64_t rows = 0, stride = 0, yStride = 0;
  RopeAppendFunction append;
  AttentionFunction attend;
  std::vector<Sequence> sequences;
  std::vector<float> table, original;
  std::vector<int32_t> positions;
  Buffer qkv{0}, y{0};
};

const std::vector<SequenceShape> kBatches[] = {
    {{0, 1}},
    {{100, 1}},
    {{0, 13}},
    {{0, 64}, {63, 1}, {64, 1}},
    {{60, 10}, {0, 5}, {128, 2}},
    {{0, 9, 4, 0}, {70, 3, 66, 0}, {20, 7, 0, 3}},
};

class AttentionTest : public testing::TestWithParam<AttentionKernelKey> {
protected:
  void SetUp() override {
    if (!machineRuns(GetParam().isa))
      GTEST_SKIP() << "the machine lacks " << stringify(GetParam().isa).str();
    library = testLibrary(GetParam().isa);
    ASSERT_NE(library, nullptr);
  }

  /// Rotation in double of component d of a head.
  static double rotated(const Batch &batch, const float *head, int64_t row,
                        int64_t d) {
    int64_t headDim = batch.attention.headDim, half = headDim / 2;
    const float *angles = &batch.table[batch.positions[row] * headDim];
    double cosine = angles[d % half], sine = angles[half + d % half];
    double x1 = head[d % half], x2 = head[half + d % half];
    return d < half ? x1 * cosine - x2 * sine : x2 * cosine + x1 * sine;
  }

  void checkRope(const Batch &batch) {
    const AttentionKernelKey &key = batch.attention;
    for (const Sequence &sequence : batch.sequences)
      for (int64_t i = 0; i < sequence.shape.rows; ++i) {
        int64_t row = sequence.segment.first_row + i;
        const float *before = &batch.original[row * batch.stride];
        const float *after = batch.qkv.data() + row * batch.stride;
        int64_t token = sequence.shape.past + i;
        for (int64_t head = 0; head < key.heads; ++head)
          for (int64_t d = 0; d < key.headDim; ++d)
            ASSERT_NEAR(after[head * key.headDim + d],
                        rotated(batch, before + head * key.headDim, row, d),
                        1e-6);
        for (int64_t head = 0; head < key.kvHeads; ++head) {
          const float *k = before + (key.heads + head) * key.headDim;
          std::vector<double> rotatedKey, value;
          for (int64_t d = 0; d < key.headDim; ++d) {
            rotatedKey.push_back(rotated(batch, k, row, d));
            value.push_back(k[key.kvHeads * key.headDim + d]);
          }
          checkStored(key.kv, sequence.keyAt(key, token, head), rotatedKey,
                      1e-6);
          checkStored(key.kv, sequence.valueAt(key, token, head), value, 0);
        }
      }
  }

  /// Checks that the cache holds the nearest numbers of its format; `slack` is
  /// the error of what was rounded.
  static void checkStored(llmopt_kv_format format,
                          const std::vector<float> &stored,
                          const std::vector<double> &exact, double slack) {
    double largest = 0;
    for (double x : exact)
      largest = std::max(largest, std::fabs(x));
    for (auto [d, x] : llvm::enumerate(exact)) {
      double step = format == LLMOPT_KV_BF16
                        ? std::ldexp(1.0, std::ilogb(stored[d]) - 7)
                    : format == LLMOPT_KV_INT8 ? largest / 127
                                               : 0;
      ASSERT_NEAR(stored[d], x, slack + 0.5001 * step) << "component " << d;
    }
  }

  /// A query as the kernel sees it: codes of int8 where the cache has such.
  static std::vector<double> queryOf(const AttentionKernelKey &key,
                                     const float *q) {
    std::vector<double> query(q, q + key.headDim);
    if (key.kv != LLMOPT_KV_INT8)
      return query;
    float largest = 0;
    for (int64_t d = 0; d < key.headDim; ++d)
      largest = std::max(largest, std::fabs(q[d]));
    for (double &x : query)
      x = std::nearbyint(float(x) * (127 / largest)) * largest / 127;
    return query;
  }

  /// Weights of all keys, not divided by their sum; 0 for hidden ones.
  static std::vector<double>
  weightsOf(const AttentionKernelKey &key, const Sequence &sequence, int64_t i,
            int64_t kvHead, llvm::ArrayRef<double> query, double &magnitude) {
    std::vector<double> weights(sequence.shape.past + i + 1, 0.0);
    for (size_t token = 0; token < weights.size(); ++token) {
      bool isInWindow = !key.window || token + key.window >= weights.size();
      if (!sequence.mask[token] || !isInWindow)
        continue;
      double score = 0, terms = 0;
      std::vector<float> k = sequence.keyAt(key, token, kvHead);
      for (int64_t d = 0; d < key.headDim; ++d) {
        score += query[d] * k[d];
        terms += std::fabs(query[d] * k[d]);
      }
      magnitude = std::max(magnitude, terms * key.scale);
      score *= key.scale;
      if (key.softcap != 0)
        score = key.softcap * std::tanh(score / key.softcap);
      weights[token] = std::exp(score);
    }
    return weights;
  }

  /// How far codes of weights may be off in the sum of a page's values: half of
  /// 1/255 of the page's largest weight and scale, be it that of a hidden
  /// value.
  static double codeError(llvm::ArrayRef<double> weights,
                          llvm::ArrayRef<std::vector<float>> values) {
    double error = 0;
    for (size_t page = 0; page < weights.size(); page += 64) {
      double weight = 0, value = 0, count = 0;
      for (size_t token = page; token < std::min(page + 64, weights.size());
           ++token) {
        weight = std::max(weight, weights[token]);
        count += weights[token] != 0;
      }
      for (size_t token = page; token < std::min(page + 64, values.size());
           ++token)
        for (float v : values[token])
          value = std::max(value, double(std::fabs(v)));
      error += 0.5 / 255 * weight * value * count;
    }
    return error;
  }

  /// Checks one row and head against softmax in double over the cache as it is.
  void checkRow(const Batch &batch, const Sequence &sequence, int64_t i,
                int64_t head) {
    const AttentionKernelKey &key = batch.attention;
    int64_t row = sequence.segment.first_row + i;
    int64_t kvHead = head / (key.heads / key.kvHeads);
    std::vector<double> query = queryOf(
        key, batch.qkv.data() + row * batch.stride + head * key.headDim);
    double magnitude = 0, total = 0;
    std::vector<double> weights =
        weightsOf(key, sequence, i, kvHead, query, magnitude);
    std::vector<std::vector<float>> values;
    for (double weight : weights)
      total += weight;
    for (int64_t token = 0; token < sequence.tokens; ++token)
      values.push_back(sequence.valueAt(key, token, kvHead));
    double relative = 2e-6 * (1 + magnitude), absolute = 0;
    if (key.kv == LLMOPT_KV_INT8 && total != 0) {
      relative = 2e-4 + relative; // the polynomial of coarse exponentials
      absolute = codeError(weights, values) / total;
    }
    for (int64_t d = 0; d < key.headDim; ++d) {
      double value = 0, size = 0;
      for (size_t token = 0; token < weights.size(); ++token) {
        if (weights[token] == 0)
          continue;
        double v = values[token][d];
        value += weights[token] / total * v;
        size += weights[token] / total * std::fabs(v);
      }
      ASSERT_NEAR(batch.y.data()[row * batch.yStride + head * key.headDim + d],
                  value, relative * size + absolute)
          << "row " << row << ", head " << head << ", component " << d;
    }
  }

  const KernelLibrary *library = nullptr;
};

TEST_P(AttentionTest, MatchesReference) {
  for (const std::vector<SequenceShape> &shapes : kBatches) {
    Batch batch(*library, GetParam(), shapes, 1);
    ASSERT_NE(batch.append, nullptr);
    ASSERT_NE(batch.attend, nullptr);
    batch.run();
    checkRope(batch);
    for (const Sequence &sequence : batch.sequences)
      for (int64_t i = 0; i < sequence.shape.rows; ++i)
        for (int64_t head = 0; head < GetParam().heads; ++head)
          checkRow(batch, sequence, i, head);
    for (int64_t threads : {2, 3}) {
      Batch other(*library, GetParam(), shapes, threads);
      other.run();
      EXPECT_TRUE(batch.y == other.y) << threads << " threads";
      EXPECT_TRUE(batch.qkv == other.qkv) << threads << " threads";
    }
  }
}

/// One row at every kind of split: a page, fewer pages than parts, more, and
/// parts without a visible key.
TEST_P(AttentionTest, PartsMatchReference) {
  const SequenceShape shapes[] = {
      {0, 1}, {100, 1}, {511, 1}, {700, 1}, {650, 1, 300, 4}};
  for (SequenceShape shape : shapes) {
    Batch batch(*library, GetParam(), {shape}, 1, /*inParts=*/true);
    batch.run();
    for (int64_t head = 0; head < GetParam().heads; ++head)
      checkRow(batch, batch.sequences[0], 0, head);
    for (int64_t threads : {2, 5}) {
      Batch other(*library, GetParam(), {shape}, threads, /*inParts=*/true);
      other.run();
      EXPECT_TRUE(batch.y == other.y) << threads << " threads";
    }
  }
}

std::vector<AttentionKernelKey> allAttentionKernels() {
  std::vector<AttentionKernelKey> keys;
  for (Isa isa : {Isa::Avx512Vnni, Isa::Avx2})
    for (const AttentionKernelKey &key : attentionKernels(isa))
      if (key.kernel == AttentionKernel::Attention)
        keys.push_back(key);
  return keys;
}

INSTANTIATE_TEST_SUITE_P(
    Kernels, AttentionTest, testing::ValuesIn(allAttentionKernels()),
    [](const testing::TestParamInfo<AttentionKernelKey> &info) {
      return kernelName(info.param);
    });

} // namespace
