//===- PagePart.cpp - Keys or values of one head in a page ------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/PagePart.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace llmopt::runtime {

/// Nearest bf16, ties to even; NaN stays NaN.
static uint16_t toBFloat(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value))
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float fromBFloat(uint16_t value) {
  return std::bit_cast<float>(uint32_t{value} << 16);
}

uint64_t PagePart::indexOf(uint32_t slot, uint32_t i) const {
  const uint64_t half = dim / 2;
  switch (format) {
  case LLMOPT_KV_BF16:
    return (isKey ? (i % half) * LLMOPT_PAGE_TOKENS + slot
                  : slot * half + i % half) *
               2 +
           i / half;
  case LLMOPT_KV_INT8:
    return isKey ? (uint64_t{i / 4} * LLMOPT_PAGE_TOKENS + slot) * 4 + i % 4
                 : (uint64_t{slot / 4} * dim + i) * 4 + slot % 4;
  default:
    return isKey ? uint64_t{i} * LLMOPT_PAGE_TOKENS + slot
                 : uint64_t{slot} * dim + i;
  }
}

/// Codes of a token: round(x * (127 / max|x|)), and their scale, max|x| / 127.
void PagePart::writeCodes(uint32_t slot, const float *from) const {
  constexpr float kSmallest = 0x1p-100f;
  float largest = 0;
  for (uint32_t i = 0; i < dim; ++i)
    largest = std::max(largest, std::fabs(from[i]));
  const bool isZero = !(largest >= kSmallest);
  const float inverse = isZero ? 0.0f : 127.0f / largest;
  for (uint32_t i = 0; i < dim; ++i) {
    const float code =
        std::clamp(std::nearbyintf(from[i] * inverse), -127.0f, 127.0f);
    // Of a NaN nothing is left but a code in range.
    bytes[indexOf(slot, i)] = static_cast<uint8_t>(
        128 + (std::isnan(code) ? 0 : static_cast<int>(code)));
  }
  scales()[slot] = isZero ? 0.0f : largest / 127.0f;
}

void PagePart::write(uint32_t slot, const float *from) const {
  if (format == LLMOPT_KV_INT8)
    return writeCodes(slot, from);
  for (uint32_t i = 0; i < dim; ++i)
    if (format == LLMOPT_KV_BF16)
      reinterpret_cast<uint16_t *>(bytes)[indexOf(slot, i)] = toBFloat(from[i]);
    else
      reinterpret_cast<float *>(bytes)[indexOf(slot, i)] = from[i];
}

void PagePart::read(uint32_t slot, float *to) const {
  for (uint32_t i = 0; i < dim; ++i) {
    const uint64_t index = indexOf(slot, i);
    switch (format) {
    case LLMOPT_KV_BF16:
      to[i] = fromBFloat(reinterpret_cast<const uint16_t *>(bytes)[index]);
      break;
    case LLMOPT_KV_INT8:
      to[i] = static_cast<float>(bytes[index] - 128) * scales()[slot];
      break;
    default:
      to[i] = reinterpret_cast<const float *>(bytes)[index];
    }
  }
}

} // namespace llmopt::runtime
