// Layouts of a small model, whose weights stay in a cache, and those that are asked for.
// RUN: llmopt-opt %s -llmopt-encode-weights=cpus=znver4 | FileCheck %s
// RUN: llmopt-opt %s -llmopt-encode-weights="cpus=znver4 formats=mask:int8-bitmask,.*:int8" | FileCheck %s --check-prefix=ASKED
// RUN: not llmopt-opt %s -llmopt-encode-weights="cpus=znver4 formats=mask:int8-2of4" 2>&1 | FileCheck %s --check-prefix=PATTERN
// RUN: not llmopt-opt %s -llmopt-encode-weights="cpus=znver4 formats=half:int8-gather" 2>&1 | FileCheck %s --check-prefix=FLOAT
// RUN: not llmopt-opt %s -llmopt-encode-weights="cpus=znver4 formats=half:int9" 2>&1 | FileCheck %s --check-prefix=NAME

// Expanding takes longer than reading from a cache; taking activations by their places does not.
// CHECK: llmopt.encoded_weight "mask" {{.*}}reason = "60.{{.*}} dense, {{.*}} with a bitmask, {{.*}} gathered, weights from l2", {{.*}}int8, dense>>
// CHECK: llmopt.encoded_weight "pattern" {{.*}} as 2:4, {{.*}}int8, two_of_four>>
// CHECK: llmopt.encoded_weight "zero" {{.*}} gathered, {{.*}}int8, gather>>
// CHECK: llmopt.encoded_weight "half" {{.*}}int8, dense>>
// ASKED: llmopt.encoded_weight "mask" {{.*}}reason = "60.{{.*}} zeros: asked for by 'mask'", {{.*}}int8, bitmask>>
// ASKED: llmopt.encoded_weight "pattern" {{.*}}asked for by '.*'", {{.*}}int8, dense>>
// PATTERN: error: weight 'mask' cannot have the format int8-2of4, which 'mask' asks for: more than two of four columns in a row are not zero
// FLOAT: error: weight 'half' cannot have the format int8-gather, which 'half' asks for: it needs integer activations
// NAME: error: 'formats' expects int8, int8-bitmask, int8-2of4 or int8-gather as a format, got 'int9'
#open = #llmopt.format<int8>
func.func @main(%x: tensor<?x576xf32>, %y: tensor<?x576xf32>, %z: tensor<?x576xf32>, %u: tensor<?x576xf32>) {
  %mask = llmopt.encoded_weight "mask" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 199066 : i64} : !llmopt.packed<576x576, #open>
  %pattern = llmopt.encoded_weight "pattern" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 46080 : i64, pattern = "2:4"} : !llmopt.packed<160x576, #open>
  %zero = llmopt.encoded_weight "zero" codes(dense<0> : tensor<160x576xi8>) scales(#llmopt.random<2>) {zeros = 92160 : i64} : !llmopt.packed<160x576, #open>
  %half = llmopt.encoded_weight "half" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 46080 : i64} : !llmopt.packed<160x576, #open>
  %a = llmopt.linear %x, %mask activations(64) : (tensor<?x576xf32>, !llmopt.packed<576x576, #open>) -> tensor<?x576xf32>
  %b = llmopt.linear %y, %pattern activations(64) : (tensor<?x576xf32>, !llmopt.packed<160x576, #open>) -> tensor<?x160xf32>
  %c = llmopt.linear %z, %zero activations(64) : (tensor<?x576xf32>, !llmopt.packed<160x576, #open>) -> tensor<?x160xf32>
  %d = llmopt.linear %u, %half : (tensor<?x576xf32>, !llmopt.packed<160x576, #open>) -> tensor<?x160xf32>
  return
}
