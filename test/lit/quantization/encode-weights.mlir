// RUN: llmopt-opt %s -split-input-file -llmopt-encode-weights=cpus=znver4 | FileCheck %s
// RUN: llmopt-opt %s -split-input-file -llmopt-encode=cpus=znver4 | FileCheck %s
// RUN: llmopt-opt %s -split-input-file -llmopt-encode=cpus=znver4,x86-64-v3 | FileCheck %s --check-prefix=BOTH

// Float weights keep their source; norm scales stay plain. The error is against the original.
// CHECK-LABEL: func.func @float
func.func @float(%ids: tensor<?xi64>) -> tensor<?x2xf32> {
  // CHECK: llmopt.encoded_weight "w" codes(dense<{{.*}}> : tensor<2x2xf32>) {dead_columns = 1 : i64, dead_rows = 1 : i64, error = 6.000000e-01 : f64, reason = "float weight", zeros = 3 : i64} : !llmopt.packed<2x2, #llmopt.format<f32, dense>>
  %w = llmopt.weight "w"(dense<[[4.0, 0.0], [0.0, -0.0]]> : tensor<2x2xf32>) {original = dense<[[4.0, 3.0], [0.0, 0.0]]> : tensor<2x2xf32>} : tensor<2x2xf32>
  // CHECK: llmopt.encoded_weight "table" codes(#llmopt.random<3>) {error = 0.000000e+00 : f64, reason = "float weight", zeros = 0 : i64} : !llmopt.packed<2x2, #llmopt.format<f32, dense>>
  %table = llmopt.weight "table"(#llmopt.random<3>) : tensor<2x2xf32>
  // CHECK: llmopt.weight "gamma"(dense<1.000000e+00> : tensor<2xf32>) : tensor<2xf32>
  %gamma = llmopt.weight "gamma"(dense<1.0> : tensor<2xf32>) : tensor<2xf32>
  // CHECK: llmopt.embedding %{{.*}}, %{{.*}} : (tensor<?xi64>, !llmopt.packed<2x2, #llmopt.format<f32, dense>>)
  %x = llmopt.embedding %ids, %table : (tensor<?xi64>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %n = llmopt.rms_norm %x, %gamma {epsilon = 1.0e-5 : f32} : tensor<?x2xf32>, tensor<2xf32>
  // CHECK: llmopt.linear %{{.*}}, %{{.*}} : (tensor<?x2xf32>, !llmopt.packed<2x2, #llmopt.format<f32, dense>>)
  %y = llmopt.linear %n, %w : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// Many zeros pay with AVX-512 alone, where the cost model expands them quickly; few do not. A choice that was made stays.
#open = #llmopt.format<int8>
// CHECK-LABEL: func.func @layouts
// BOTH-LABEL: func.func @layouts
func.func @layouts(%x: tensor<?x576xf32>, %y: tensor<?x576xf32>, %z: tensor<?x576xf32>) {
  %big = llmopt.encoded_weight "big" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 0 : i64} : !llmopt.packed<65536x576, #llmopt.format<int8, dense>>
  %large = llmopt.linear %z, %big activations(64) : (tensor<?x576xf32>, !llmopt.packed<65536x576, #llmopt.format<int8, dense>>) -> tensor<?x65536xf32>
  // CHECK: llmopt.encoded_weight "sparse" {{.*}}reason = "90.0{{.*}}% zeros: predicted {{.*}} us dense, {{.*}} us with a bitmask, {{.*}} us gathered, weights from memory"{{.*}} !llmopt.packed<576x576, #llmopt.format<int8, bitmask>>
  // BOTH: llmopt.encoded_weight "sparse" {{.*}} !llmopt.packed<576x576, #llmopt.format<int8, dense>>
  %sparse = llmopt.encoded_weight "sparse" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 298598 : i64} : !llmopt.packed<576x576, #open>
  // CHECK: llmopt.encoded_weight "full" {{.*}}reason = "1.0{{.*}}% zeros: {{.*}} !llmopt.packed<576x576, #llmopt.format<int8, dense>>
  %full = llmopt.encoded_weight "full" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 3318 : i64} : !llmopt.packed<576x576, #open>
  // CHECK: llmopt.encoded_weight "chosen" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 3318 : i64} : !llmopt.packed<576x576, #llmopt.format<int8, bitmask>>
  %chosen = llmopt.encoded_weight "chosen" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 3318 : i64} : !llmopt.packed<576x576, #llmopt.format<int8, bitmask>>
  // CHECK: llmopt.linear %{{.*}}, %{{.*}} activations(64) : (tensor<?x576xf32>, !llmopt.packed<576x576, #llmopt.format<int8, bitmask>>)
  %a = llmopt.linear %x, %sparse activations(64) : (tensor<?x576xf32>, !llmopt.packed<576x576, #open>) -> tensor<?x576xf32>
  %b = llmopt.linear %y, %full activations(64) : (tensor<?x576xf32>, !llmopt.packed<576x576, #open>) -> tensor<?x576xf32>
  return
}

// -----

// Products of one input get one layout: v alone would be dense.
#open = #llmopt.format<int8>
// CHECK-LABEL: func.func @fused
func.func @fused(%x: tensor<?x576xf32>, %z: tensor<?x576xf32>) {
  %big = llmopt.encoded_weight "big" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 0 : i64} : !llmopt.packed<65536x576, #llmopt.format<int8, dense>>
  %large = llmopt.linear %z, %big activations(64) : (tensor<?x576xf32>, !llmopt.packed<65536x576, #llmopt.format<int8, dense>>) -> tensor<?x65536xf32>
  // CHECK: llmopt.encoded_weight "q" {{.*}}reason = "81.{{.*}}% zeros: {{.*}} (for 2 weights of one input)", {{.*}} #llmopt.format<int8, bitmask>>
  // CHECK: llmopt.encoded_weight "v" {{.*}}reason = "81.{{.*}}% zeros: {{.*}} (for 2 weights of one input)", {{.*}} #llmopt.format<int8, bitmask>>
  %q = llmopt.encoded_weight "q" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 298598 : i64} : !llmopt.packed<576x576, #open>
  %v = llmopt.encoded_weight "v" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 0 : i64} : !llmopt.packed<64x576, #open>
  %a = llmopt.linear %x, %q activations(64) : (tensor<?x576xf32>, !llmopt.packed<576x576, #open>) -> tensor<?x576xf32>
  %b = llmopt.linear %x, %v activations(64) : (tensor<?x576xf32>, !llmopt.packed<64x576, #open>) -> tensor<?x64xf32>
  return
}

// -----

// A table is dense whatever its zeros.
#open = #llmopt.format<int8>
// CHECK-LABEL: func.func @table
func.func @table(%ids: tensor<?xi64>) {
  // CHECK: llmopt.encoded_weight "table" {{.*}}reason = "embedding table, rows are read one at a time", {{.*}} #llmopt.format<int8, dense>>
  %table = llmopt.encoded_weight "table" codes(#llmopt.random<1>) scales(#llmopt.random<2>) {zeros = 331776 : i64} : !llmopt.packed<576x576, #open>
  %x = llmopt.embedding %ids, %table : (tensor<?xi64>, !llmopt.packed<576x576, #open>) -> tensor<?x576xf32>
  %y = llmopt.linear %x, %table activations(64) {head} : (tensor<?x576xf32>, !llmopt.packed<576x576, #open>) -> tensor<?x576xf32>
  return
}
