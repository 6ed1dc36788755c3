//===- RandomProgramTest.cpp - Plans and barriers of programs ---*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Random straight-line programs on buffers. What is expected of the memory plan
// and of the barriers is computed here from the program alone, by brute force.
//
//===----------------------------------------------------------------------===//

#include "dialects/Kernel/KernelOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Lowering/LoweringAttributes.h"
#include "passes/Lowering/Passes.h"
#include "llvm/ADT/MapVector.h"
#include <gtest/gtest.h>
#include <random>

using namespace llmopt;
using namespace mlir;

namespace {

/// A program of operations that read one buffer and write another.
class RandomProgram {
public:
  RandomProgram(MLIRContext &context, uint32_t seed) : random(seed) {
    OpBuilder b(&context);
    Location loc = b.getUnknownLoc();
    module = ModuleOp::create(b, loc);
    b.setInsertionPointToEnd(module->getBody());
    function =
        func::FuncOp::create(b, loc, "program", b.getFunctionType({}, {}));
    b.setInsertionPointToStart(function.addEntryBlock());
    for (int i = 0, count = pick(2, 12); i < count; ++i) {
      int64_t columns = 16 * pick(1, 8);
      auto type =
          MemRefType::get({ShapedType::kDynamic, columns}, b.getF32Type());
      buffers.push_back(kernel::BufferOp::create(
          b, loc, type, "b", kernel::RowDomain::Tokens, false, IntegerAttr()));
    }
    for (int i = 0, count = pick(1, 30); i < count; ++i)
      addStep(b, loc);
    func::ReturnOp::create(b, loc);
  }

  LogicalResult run(llvm::ArrayRef<std::unique_ptr<Pass> (*)()> passes) {
    PassManager manager(module->getContext());
    for (auto create : passes)
      manager.addNestedPass<func::FuncOp>(create());
    return manager.run(*module);
  }

  func::FuncOp function;

private:
  int pick(int first, int last) {
    return std::uniform_int_distribution<int>(first, last)(random);
  }

  /// Copies between two buffers of one type; otherwise quantizes the input into
  /// a buffer of its own.
  void addStep(OpBuilder &b, Location loc) {
    Value input = buffers[pick(0, buffers.size() - 1)].getResult();
    Value output = buffers[pick(0, buffers.size() - 1)].getResult();
    auto type = cast<MemRefType>(input.getType());
    if (type == output.getType() && input != output) {
      kernel::GatherRowsOp::create(b, loc, input, output);
      return;
    }
    auto records =
        MemRefType::get({ShapedType::kDynamic,
                         kernel::quantizedRowBytes(type.getDimSize(1), 32)},
                        b.getI8Type());
    auto buffer = kernel::BufferOp::create(
        b, loc, records, "r", kernel::RowDomain::Tokens, false, IntegerAttr());
    kernel::QuantizeOp::create(b, loc, input, buffer.getResult(),
                               type.getDimSize(1), 32);
  }

  std::mt19937 random;
  OwningOpRef<ModuleOp> module;
  std::vector<kernel::BufferOp> buffers;
};

/// What one operation does, by the definition of the operations used above.
struct Step {
  kernel::BufferOp read, written;
};

Step stepOf(Operation *op) {
  return {op->getOperand(0).getDefiningOp<kernel::BufferOp>(),
          op->getOperand(1).getDefiningOp<kernel::BufferOp>()};
}

std::vector<Operation *> stepsOf(func::FuncOp function) {
  std::vector<Operation *> steps;
  for (Operation &op : function.getBody().front())
    if (isa<kernel::GatherRowsOp, kernel::QuantizeOp>(op))
      steps.push_back(&op);
  return steps;
}

bool overlap(kernel::BufferOp a, kernel::BufferOp b) {
  int64_t aFirst = *a.getOffset(), bFirst = *b.getOffset();
  return aFirst < bFirst + b.getRowBytes() && bFirst < aFirst + a.getRowBytes();
}

bool conflict(const Step &a, const Step &b) {
  return overlap(a.written, b.written) || overlap(a.written, b.read) ||
         overlap(a.read, b.written);
}

/// The fewest barriers that separate all conflicts: fewest[i] is enough for the
/// steps before i when a barrier stands in front of i.
size_t fewestBarriers(const std::vector<Operation *> &steps) {
  std::vector<size_t> fewest(steps.size() + 1, steps.size());
  fewest[0] = 0;
  for (size_t end = 1; end <= steps.size(); ++end)
    for (size_t begin = end; begin-- > 0;) {
      // Steps begin..end-1 run without a barrier between them.
      bool fits = true;
      for (size_t other = begin + 1; other < end && fits; ++other)
        fits = !conflict(stepOf(steps[begin]), stepOf(steps[other]));
      if (!fits)
        break;
      fewest[end] = std::min(fewest[end], fewest[begin] + (begin > 0));
    }
  return fewest[steps.size()];
}

class RandomProgramTest : public ::testing::TestWithParam<uint32_t> {
protected:
  RandomProgramTest() {
    context.loadDialect<kernel::KernelDialect, func::FuncDialect>();
  }
  MLIRContext context;
};

TEST_P(RandomProgramTest, LiveBuffersDoNotOverlap) {
  RandomProgram program(context, GetParam());
  ASSERT_TRUE(succeeded(program.run({createPlanMemory})));
  std::vector<Operation *> steps = stepsOf(program.function);
  llvm::MapVector<Operation *, std::pair<size_t, size_t>> lives;
  for (size_t i = 0; i < steps.size(); ++i) {
    Step step = stepOf(steps[i]);
    for (kernel::BufferOp buffer : {step.read, step.written})
      lives.try_emplace(buffer, i, i).first->second.second = i;
  }
  int64_t total =
      program.function->getAttrOfType<IntegerAttr>(kArenaBytesPerRowAttrName)
          .getInt();
  for (auto &[a, aLife] : lives) {
    auto first = cast<kernel::BufferOp>(a);
    EXPECT_EQ(*first.getOffset() % 64, 0u);
    EXPECT_LE(int64_t(*first.getOffset()) + first.getRowBytes(), total);
    for (auto &[b, bLife] : lives)
      if (a != b && aLife.first <= bLife.second && bLife.first <= aLife.second)
        EXPECT_FALSE(overlap(first, cast<kernel::BufferOp>(b)));
  }
}

TEST_P(RandomProgramTest, BarriersAreFewestAndNeeded) {
  RandomProgram program(context, GetParam());
  ASSERT_TRUE(succeeded(program.run(
      {createPlanMemory, createInsertBarriers, createVerifyBarriers})));
  auto barriers = llvm::to_vector(program.function.getOps<kernel::BarrierOp>());
  EXPECT_EQ(barriers.size(), fewestBarriers(stepsOf(program.function)));
  // As there are no fewer, the check must miss each one that is taken away.
  ScopedDiagnosticHandler quiet(&context,
                                [](Diagnostic &) { return success(); });
  for (kernel::BarrierOp barrier : barriers) {
    Operation *next = barrier->getNextNode();
    barrier->remove();
    EXPECT_TRUE(failed(program.run({createVerifyBarriers})));
    next->getBlock()->getOperations().insert(Block::iterator(next), barrier);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomProgramTest, ::testing::Range(0u, 200u));

} // namespace
