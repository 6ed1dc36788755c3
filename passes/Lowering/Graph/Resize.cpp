//===- Resize.cpp - Resize and Upsample -------------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Lowering/Graph/Conversion.h"
#include "passes/Lowering/Graph/Elementwise.h"
#include "passes/Lowering/Graph/Interpolation.h"
#include "passes/Lowering/Graph/Movement.h"
#include "passes/Lowering/Graph/Operators.h"
#include "passes/Lowering/Graph/Reals.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace llmopt::graph {

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

/// The value of an attribute that has one of few; refuses others.
template <typename Enum>
static FailureOr<Enum> choice(Node &node, StringRef name, StringRef byDefault,
                              ArrayRef<std::pair<StringRef, Enum>> choices) {
  std::string value = node.attribute(name, byDefault);
  std::string expected;
  for (auto [key, result] : choices) {
    if (key == value)
      return result;
    expected += (expected.empty() ? "" : ", ") + key.str();
  }
  return node.refuse(name + " is '" + value + "', expected one of " + expected);
}

static FailureOr<Kernel> kernelOf(Node &node) {
  return choice<Kernel>(node, "mode", "nearest",
                        {{"nearest", Kernel::Nearest},
                         {"linear", Kernel::Linear},
                         {"bilinear", Kernel::Linear},
                         {"cubic", Kernel::Cubic}});
}

static FailureOr<ResizeRules> resizeRules(Node &node) {
  ResizeRules rules;
  FailureOr<Kernel> kernel = kernelOf(node);
  if (failed(kernel))
    return failure();
  rules.kernel = *kernel;
  // Before, there was no choice.
  if (node.version() < 11 || node.opType() == "Upsample") {
    rules.coordinates = Coordinates::Asymmetric;
    rules.rounding = Rounding::CeilIfSmaller;
    return rules;
  }
  FailureOr<Coordinates> coordinates = choice<Coordinates>(
      node, "coordinate_transformation_mode", "half_pixel",
      {{"half_pixel", Coordinates::HalfPixel},
       {"half_pixel_symmetric", Coordinates::HalfPixelSymmetric},
       {"pytorch_half_pixel", Coordinates::PytorchHalfPixel},
       {"align_corners", Coordinates::AlignCorners},
       {"asymmetric", Coordinates::Asymmetric},
       {"tf_crop_and_resize", Coordinates::CropAndResize}});
  FailureOr<Rounding> rounding =
      choice<Rounding>(node, "nearest_mode", "round_prefer_floor",
                       {{"round_prefer_floor", Rounding::PreferFloor},
                        {"round_prefer_ceil", Rounding::PreferCeil},
                        {"floor", Rounding::Floor},
                        {"ceil", Rounding::Ceil}});
  if (failed(coordinates) || failed(rounding))
    return failure();
  rules.coordinates = *coordinates;
  rules.rounding = *rounding;
  rules.antialias = node.attribute("antialias", int64_t(0)) != 0;
  rules.excludeOutside = node.attribute("exclude_outside", int64_t(0)) != 0;
  rules.cubic = node.attribute("cubic_coeff_a", -0.75);
  rules.extrapolation = node.attribute("extrapolation_value", 0.0);
  if (rules.antialias && rules.kernel == Kernel::Nearest)
    return node.refuse("antialias and mode nearest exclude each other");
  return rules;
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// The elements of a small input of floats, in f64.
static FailureOr<Values> realsOf(Node &node, size_t index, StringRef what) {
  Reals r(node.g);
  if (!node.input(index).type.isFloat())
    return node.refuse(what + " must be floats");
  std::optional<Values> elements = node.elements(index);
  if (!elements)
    return node.refuse("the number of " + what +
                       " is not known; its shape has to be fixed");
  for (Value &element : *elements)
    element = r.widen(element);
  return *elements;
}

/// True if the input is there and not empty.
static bool hasElements(Node &node, size_t index) {
  return node.hasInput(index) &&
         node.g.knownCount(node.input(index)) != int64_t(0);
}

static LogicalResult checkCount(Node &node, StringRef what, size_t count,
                                size_t expected) {
  if (count == expected)
    return success();
  return node.refuse(what + " has " + Twine(count) + " entries, expected " +
                     Twine(expected));
}

/// Sets the result's dimensions from scales.
static LogicalResult applyScales(Node &node, ArrayRef<Value> scales,
                                 MutableArrayRef<ResizedAxis> axes) {
  GraphBuilder &g = node.g;
  Reals r(g);
  if (failed(checkCount(node, "scales", scales.size(), axes.size())))
    return failure();
  for (auto [axis, scale] : llvm::zip_equal(axes, scales)) {
    std::optional<double> known = Reals::known(scale);
    if (known && !(*known > 0))
      return node.refuse("a scale is " + std::to_string(*known) +
                         ", expected more than 0");
    g.require(r.less(r.constant(0), scale),
              node.describe() + ": a scale is not more than 0");
    axis.scale = scale;
    if (known && *known == std::floor(*known) && *known < 1e9) {
      axis.after = g.mul(axis.before, int64_t(*known));
      continue;
    }
    // The product is taken in f32, as shapes are inferred.
    Value product = r.rounded(r.mul(r.fromNumber(axis.before), scale));
    axis.after = g.max(r.toNumber(r.floor(product)), 0);
    g.markDimension(axis.after);
  }
  return success();
}

/// Sets the result's dimensions, and scales that follow from them.
static LogicalResult applySizes(Node &node, ArrayRef<Value> sizes,
                                MutableArrayRef<ResizedAxis> axes) {
  GraphBuilder &g = node.g;
  Reals r(g);
  if (failed(checkCount(node, "sizes", sizes.size(), axes.size())))
    return failure();
  std::string policy =
      node.attribute("keep_aspect_ratio_policy", StringRef("stretch"));
  if (policy != "stretch" && policy != "not_larger" && policy != "not_smaller")
    return node.refuse("keep_aspect_ratio_policy is '" + policy +
                       "', expected stretch, not_larger or not_smaller");
  Value common;
  for (auto [axis, size] : llvm::zip_equal(axes, sizes)) {
    FailureOr<Value> wanted = asDimension(node, size);
    if (failed(wanted))
      return failure();
    axis.after = *wanted;
    axis.scale = g.same(*wanted, axis.before)
                     ? r.constant(1)
                     : r.div(r.fromNumber(*wanted), r.fromNumber(axis.before));
    if (!common)
      common = axis.scale;
    else
      common = policy == "not_larger" ? r.min(axis.scale, common)
                                      : r.max(axis.scale, common);
  }
  if (policy == "stretch")
    return success();
  for (ResizedAxis &axis : axes) {
    axis.scale = common;
    Value size = r.floor(r.add(r.mul(common, r.fromNumber(axis.before)), 0.5));
    axis.after = g.max(r.toNumber(size), 0);
    g.markDimension(axis.after);
  }
  return success();
}

/// The dimensions that `axes` names, or all.
static FailureOr<SmallVector<ResizedAxis>> resizedAxes(Node &node) {
  const Tensor &input = node.input(0);
  SmallVector<int64_t> numbers;
  for (int64_t axis = 0; axis < input.rank(); ++axis)
    numbers.push_back(axis);
  if (std::optional<SmallVector<int64_t>> given = node.integers("axes")) {
    auto normal = normalizedAxes(node, *given, input.rank());
    if (failed(normal))
      return failure();
    numbers = *normal;
  }
  Reals r(node.g);
  SmallVector<ResizedAxis> axes;
  for (int64_t axis : numbers)
    axes.push_back({axis, input.dims[axis], input.dims[axis], r.constant(1),
                    r.constant(0), r.constant(1)});
  return axes;
}

/// Sets the region that is resized.
static LogicalResult applyRegion(Node &node,
                                 MutableArrayRef<ResizedAxis> axes) {
  FailureOr<Values> region = realsOf(node, 1, "roi");
  if (failed(region) ||
      failed(checkCount(node, "roi", region->size(), 2 * axes.size())))
    return failure();
  for (auto [number, axis] : llvm::enumerate(axes)) {
    axis.begin = (*region)[number];
    axis.end = (*region)[axes.size() + number];
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

/// Interpolated elements in the type of the input: integers are rounded.
static Tensor backToType(Node &node, const Tensor &tensor, ElementType type) {
  if (tensor.type == type)
    return tensor;
  ElementType from = tensor.type;
  double lowest = 0, highest = 0;
  if (type.isInteger()) {
    lowest = type.isUnsigned() ? 0 : -std::ldexp(1.0, type.bits() - 1);
    highest = std::ldexp(1.0, type.bits() - (type.isUnsigned() ? 0 : 1)) - 1;
  }
  return mapElements(
      node.g, {tensor}, type,
      [=](GraphBuilder &g, ArrayRef<Value> in) {
        Value value = in[0];
        if (type.isInteger()) {
          value = math::RoundEvenOp::create(g.b, g.loc, value);
          Type compute = value.getType();
          value = arith::MaximumFOp::create(g.b, g.loc, value,
                                            g.constant(compute, lowest));
          value = arith::MinimumFOp::create(g.b, g.loc, value,
                                            g.constant(compute, highest));
        }
        return castElement(g, value, from, type);
      },
      node.describe());
}

static bool isUnchanged(GraphBuilder &g, const ResizeRules &rules,
                        const ResizedAxis &axis) {
  return rules.coordinates != Coordinates::CropAndResize &&
         g.same(axis.before, axis.after) && Reals::known(axis.scale) == 1.0;
}

static LogicalResult resize(Node &node, const ResizeRules &rules,
                            ArrayRef<ResizedAxis> axes) {
  GraphBuilder &g = node.g;
  Tensor current = node.input(0);
  ElementType type = current.type;
  if (rules.kernel != Kernel::Nearest) {
    if (!type.isFloat() && !type.isInteger())
      return node.refuse("booleans cannot be interpolated");
    ElementType wide =
        type.get().isF64() || (type.bits() > 16 && !type.isFloat())
            ? g.b.getF64Type()
            : Type(g.b.getF32Type());
    if (type != wide)
      current = mapElements(
          g, {current}, wide,
          [=](GraphBuilder &g, ArrayRef<Value> in) {
            return castElement(g, in[0], type, wide);
          },
          node.describe());
  }
  // The last dimension first: it has no inner elements to make vectors of.
  for (const ResizedAxis &axis : llvm::reverse(axes)) {
    if (isUnchanged(g, rules, axis))
      continue;
    g.require(
        g.logicalOr(g.less(g.number(0), axis.before), g.equal(axis.after, 0)),
        node.describe() + ": there is nothing to resize");
    current = rules.kernel == Kernel::Nearest
                  ? resizedNearest(g, current, rules, axis)
                  : interpolated(g, current, rules, axis);
  }
  node.setResult(0, backToType(node, current, type));
  return success();
}

static LogicalResult emitResize(Node &node) {
  FailureOr<ResizeRules> rules = resizeRules(node);
  if (failed(rules))
    return failure();
  FailureOr<SmallVector<ResizedAxis>> axes = resizedAxes(node);
  if (failed(axes))
    return failure();
  size_t scalesInput = node.version() < 11 ? 1 : 2;
  bool hasScales = hasElements(node, scalesInput);
  bool hasSizes = node.version() >= 11 && hasElements(node, 3);
  if (hasScales == hasSizes)
    return node.refuse("needs either scales or sizes");
  FailureOr<Values> given = hasScales ? realsOf(node, scalesInput, "scales")
                                      : numbersOf(node, 3, "sizes");
  if (failed(given) || failed(hasScales ? applyScales(node, *given, *axes)
                                        : applySizes(node, *given, *axes)))
    return failure();
  if (rules->coordinates == Coordinates::CropAndResize) {
    if (!hasElements(node, 1))
      return node.refuse("tf_crop_and_resize needs roi");
    if (failed(applyRegion(node, *axes)))
      return failure();
  }
  return resize(node, *rules, *axes);
}

/// The scales of an Upsample, an attribute before version 9.
static FailureOr<Values> upsampleScales(Node &node) {
  if (node.version() >= 9)
    return realsOf(node, 1, "scales");
  Reals r(node.g);
  Values scales;
  if (node.version() < 7) {
    scales.assign(2, r.constant(1));
    scales.push_back(r.constant(node.attribute("height_scale", 1.0)));
    scales.push_back(r.constant(node.attribute("width_scale", 1.0)));
    return scales;
  }
  std::optional<SmallVector<double>> list = node.floats("scales");
  if (!list)
    return node.refuse("attribute scales is missing");
  for (double scale : *list)
    scales.push_back(r.constant(scale));
  return scales;
}

static LogicalResult emitUpsample(Node &node) {
  FailureOr<ResizeRules> rules = resizeRules(node);
  if (failed(rules))
    return failure();
  FailureOr<SmallVector<ResizedAxis>> axes = resizedAxes(node);
  FailureOr<Values> scales = upsampleScales(node);
  if (failed(axes) || failed(scales) ||
      failed(applyScales(node, *scales, *axes)))
    return failure();
  return resize(node, *rules, *axes);
}

static const OperatorRow rows[] = {
    {"Resize", emitResize, 2, 2, 1, 1, 10, 10},
    {"Resize", emitResize, 1, 4, 1, 1, 11},
    {"Upsample", emitUpsample, 1, 1, 1, 1, 1, 8},
    {"Upsample", emitUpsample, 2, 2, 1, 1, 9, 9},
};

ArrayRef<OperatorRow> resizeOperators() { return rows; }

} // namespace llmopt::graph
