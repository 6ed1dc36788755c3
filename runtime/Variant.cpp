//===- Variant.cpp - Choice of the code for this machine --------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Variant.h"

#include "runtime/CPU.h"
#include "runtime/Error.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <span>

namespace llmopt::runtime {

namespace {
/// A line of text built piece by piece, cut off at its capacity.
struct Line {
  char text[512] = {};
  size_t used = 0;

  template <typename... Args>
  void append(const char *format, Args... arguments) {
    const int written =
        snprintf(text + used, sizeof(text) - used, format, arguments...);
    if (written > 0)
      used = std::min(sizeof(text) - 1, used + static_cast<size_t>(written));
  }
};
} // namespace

static std::span<const llmopt_variant>
variantsOf(const llmopt_model_descriptor &model) {
  return {model.variants, model.variant_count};
}

static bool isNamed(const llmopt_variant &variant, const char *name) {
  return !strcmp(variant.isa, name) || !strcmp(variant.cpu, name);
}

static Line listVariants(const llmopt_model_descriptor &model) {
  Line line;
  for (const llmopt_variant &variant : variantsOf(model))
    line.append("%s%s (%s)", line.used ? ", " : "", variant.isa, variant.cpu);
  return line;
}

static llmopt_status chooseForced(const llmopt_model_descriptor &model,
                                  uint64_t features, const char *forced,
                                  VariantChoice &choice) {
  const llmopt_variant *refused = nullptr;
  for (const llmopt_variant &variant : variantsOf(model)) {
    if (!isNamed(variant, forced))
      continue;
    if (variant.features & ~features) {
      refused = refused ? refused : &variant;
      continue;
    }
    choice.variant = &variant;
    snprintf(choice.reason, sizeof(choice.reason), "%s for %s: forced by '%s'",
             variant.isa, variant.cpu, forced);
    return LLMOPT_OK;
  }
  if (!refused)
    return fail(
        LLMOPT_UNKNOWN_VARIANT,
        "the library has no variant '%s'; it has %s: choose one of these or "
        "none",
        forced, listVariants(model).text);
  char missing[160];
  describeFeatures(refused->features & ~features, missing, sizeof(missing));
  return fail(
      LLMOPT_UNSUPPORTED_CPU,
      "variant '%s' cannot run: this CPU or its operating system lacks %s; the "
      "library has %s",
      forced, missing, listVariants(model).text);
}

llmopt_status chooseVariant(const llmopt_model_descriptor &model,
                            uint64_t features, const char *forced,
                            VariantChoice &choice) {
  if (forced && *forced)
    return chooseForced(model, features, forced, choice);
  Line refusals;
  for (const llmopt_variant &variant : variantsOf(model)) {
    if (const uint64_t lacking = variant.features & ~features) {
      char missing[160];
      describeFeatures(lacking, missing, sizeof(missing));
      refusals.append("%s%s (%s) needs %s", refusals.used ? "; " : "",
                      variant.isa, variant.cpu, missing);
      continue;
    }
    choice.variant = &variant;
    snprintf(choice.reason, sizeof(choice.reason),
             "%s for %s: best of %u%s%s%s", variant.isa, variant.cpu,
             model.variant_count, refusals.used ? " (" : "", refusals.text,
             refusals.used ? ")" : "");
    return LLMOPT_OK;
  }
  return fail(
      LLMOPT_UNSUPPORTED_CPU,
      "no variant of the library can run on this CPU and operating system: %s; "
      "compile again with -mcpu=native on this machine",
      refusals.text);
}

} // namespace llmopt::runtime
