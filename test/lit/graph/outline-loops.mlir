// Equal loops share one function; what they read is stored in the entry's frame.
// RUN: llmopt-opt %s -kernel-outline-loops | FileCheck %s

// CHECK-LABEL: func.func @graph(
// CHECK: %[[FRAME:.*]] = llvm.alloca
// CHECK: llvm.store %arg1
// CHECK: constant @loop_0
// CHECK: llvm.call
// CHECK: llvm.store %arg2
// CHECK: constant @loop_0
// CHECK: llvm.call
// CHECK: constant @loop_1
// CHECK: llvm.call
// CHECK: func.func private @loop_0(
// CHECK: arith.constant 1.000000e+00
// CHECK: func.func private @loop_1(
// CHECK: arith.constant 2.000000e+00
// CHECK-NOT: func.func private
func.func @graph(%call: !llvm.ptr, %a: !llvm.ptr, %b: !llvm.ptr, %n: i64) {
  %grain = arith.constant 8 : i64
  %one = arith.constant 1.0 : f32
  %two = arith.constant 2.0 : f32
  kernel.parallel_for %n grain %grain {
  ^bb0(%i: i64):
    llvm.store %one, %a : f32, !llvm.ptr
  }
  kernel.parallel_for %n grain %grain {
  ^bb0(%i: i64):
    llvm.store %one, %b : f32, !llvm.ptr
  }
  kernel.parallel_for %n grain %grain {
  ^bb0(%i: i64):
    llvm.store %two, %b : f32, !llvm.ptr
  }
  return
}
