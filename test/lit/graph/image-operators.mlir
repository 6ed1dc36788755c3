// What a user is told about operators on images and boxes that do not fit.
// RUN: llmopt-opt %s -split-input-file -kernel-expand-graph -verify-diagnostics

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3x8x8xf32>, %g: tensor<2x4x4x2xf32>) -> !onnx.value {
    // expected-error @below {{mode is 'bilinear', expected nearest, linear or cubic}}
    %0 = onnx.node "GridSample"(%x, %g) {mode = "bilinear"} : (tensor<2x3x8x8xf32>, tensor<2x4x4x2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3x8x8xf32>, %g: tensor<2x4x4x2xf32>) -> !onnx.value {
    // expected-error @below {{padding_mode is 'wrap', expected zeros, border or reflection}}
    %0 = onnx.node "GridSample"(%x, %g) {padding_mode = "wrap"} : (tensor<2x3x8x8xf32>, tensor<2x4x4x2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3x8x8xf32>, %g: tensor<2x4x2xf32>) -> !onnx.value {
    // expected-error @below {{its grid has 3 dimensions, expected 4}}
    %0 = onnx.node "GridSample"(%x, %g) : (tensor<2x3x8x8xf32>, tensor<2x4x2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3x8x8xf32>, %g: tensor<2x4x4x3xf32>) -> !onnx.value {
    // expected-error @below {{a place of the grid does not have one entry for every dimension of the image}}
    %0 = onnx.node "GridSample"(%x, %g) : (tensor<2x3x8x8xf32>, tensor<2x4x4x3xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3x4x8x8xf32>, %g: tensor<2x4x4x4x3xf32>) -> !onnx.value {
    // expected-error @below {{cubic interpolation needs an image of 4 dimensions}}
    %0 = onnx.node "GridSample"(%x, %g) {mode = "cubic"} : (tensor<2x3x4x8x8xf32>, tensor<2x4x4x4x3xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3x8x8xi32>, %g: tensor<2x4x4x2xf32>) -> !onnx.value {
    // expected-error @below {{input 0 has element type i32, expected a float type}}
    %0 = onnx.node "GridSample"(%x, %g) : (tensor<2x3x8x8xi32>, tensor<2x4x4x2xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%t: tensor<2x3x3xf32>) -> !onnx.value {
    %s = onnx.initializer "s" = dense<[2, 1, 4, 4]> : tensor<4xi64>
    // expected-error @below {{theta does not fit the size}}
    %0 = onnx.node "AffineGrid"(%t, %s) : (tensor<2x3x3xf32>, tensor<4xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x12x10xf32>) -> !onnx.value {
    %i = onnx.initializer "i" = dense<[7, 9]> : tensor<2xi64>
    %b = onnx.initializer "b" = dense<[2, 3]> : tensor<2xi64>
    // expected-error @below {{attribute strides has the entry 0, expected 1 or more}}
    %0 = onnx.node "Col2Im"(%x, %i, %b) {strides = array<i64: 0, 1>} : (tensor<2x12x10xf32>, tensor<2xi64>, tensor<2xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x12x10xf32>) -> !onnx.value {
    %i = onnx.initializer "i" = dense<[7, 9]> : tensor<2xi64>
    %b = onnx.initializer "b" = dense<[2, 3]> : tensor<2xi64>
    // expected-error @below {{the number of blocks does not fit image_shape, strides, pads and dilations}}
    %0 = onnx.node "Col2Im"(%x, %i, %b) : (tensor<2x12x10xf32>, tensor<2xi64>, tensor<2xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x13x42xf32>) -> !onnx.value {
    %i = onnx.initializer "i" = dense<[7, 9]> : tensor<2xi64>
    %b = onnx.initializer "b" = dense<[2, 3]> : tensor<2xi64>
    // expected-error @below {{the columns are no multiple of the block}}
    %0 = onnx.node "Col2Im"(%x, %i, %b) : (tensor<2x13x42xf32>, tensor<2xi64>, tensor<2xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x12x10xf32>) -> !onnx.value {
    %i = onnx.initializer "i" = dense<[7, 9]> : tensor<2xi64>
    %b = onnx.initializer "b" = dense<[2]> : tensor<1xi64>
    // expected-error @below {{image_shape has 2 entries and block_shape 1, expected the same number, 1 or more}}
    %0 = onnx.node "Col2Im"(%x, %i, %b) : (tensor<2x12x10xf32>, tensor<2xi64>, tensor<1xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%b: tensor<1x6x4xf32>, %s: tensor<1x2x5xf32>) -> !onnx.value {
    // expected-error @below {{there is not one score per box}}
    %0 = onnx.node "NonMaxSuppression"(%b, %s) : (tensor<1x6x4xf32>, tensor<1x2x5xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%b: tensor<1x6x5xf32>, %s: tensor<1x2x6xf32>) -> !onnx.value {
    // expected-error @below {{a box needs 4 entries}}
    %0 = onnx.node "NonMaxSuppression"(%b, %s) : (tensor<1x6x5xf32>, tensor<1x2x6xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3x8x8xf32>, %r: tensor<3x4xf32>, %i: tensor<3xi64>) -> !onnx.value {
    // expected-error @below {{mode is 'sum', expected avg or max}}
    %0 = onnx.node "RoiAlign"(%x, %r, %i) {mode = "sum"} : (tensor<2x3x8x8xf32>, tensor<3x4xf32>, tensor<3xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3x8x8xf32>, %r: tensor<3x4xf32>, %i: tensor<3xi64>) -> !onnx.value {
    // expected-error @below {{attribute output_height is 0, expected 1 or more}}
    %0 = onnx.node "RoiAlign"(%x, %r, %i) {output_height = 0 : i64} : (tensor<2x3x8x8xf32>, tensor<3x4xf32>, tensor<3xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3x8x8xf32>, %r: tensor<3x5xf32>, %i: tensor<3xi64>) -> !onnx.value {
    // expected-error @below {{a region needs 4 entries}}
    %0 = onnx.node "RoiAlign"(%x, %r, %i) : (tensor<2x3x8x8xf32>, tensor<3x5xf32>, tensor<3xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3x8x8xf32>, %r: tensor<3x4xf32>, %i: tensor<2xi64>) -> !onnx.value {
    // expected-error @below {{there is not one batch index per region}}
    %0 = onnx.node "RoiAlign"(%x, %r, %i) : (tensor<2x3x8x8xf32>, tensor<3x4xf32>, tensor<2xi64>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3x8x8xf32>, %r: tensor<3x5xf32>) -> !onnx.value {
    // expected-error @below {{attribute pooled_shape must have two positive entries}}
    %0 = onnx.node "MaxRoiPool"(%x, %r) : (tensor<2x3x8x8xf32>, tensor<3x5xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %o: tensor<2x18x5x6xf32>) -> !onnx.value {
    // expected-error @below {{the dimensions of the offsets do not fit}}
    %0 = onnx.node "DeformConv"(%x, %w, %o) : (tensor<2x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<2x18x5x6xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %o: tensor<2x17x6x6xf32>) -> !onnx.value {
    // expected-error @below {{the offsets do not fit the kernel}}
    %0 = onnx.node "DeformConv"(%x, %w, %o) : (tensor<2x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<2x17x6x6xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}

// -----

module attributes {onnx.opset = {"ai.onnx" = 21 : i64}} {
  func.func @main(%x: tensor<2x3x8x8xf32>, %w: tensor<4x2x3x3xf32>, %o: tensor<2x18x6x6xf32>) -> !onnx.value {
    // expected-error @below {{the channels of image and weights do not fit}}
    %0 = onnx.node "DeformConv"(%x, %w, %o) : (tensor<2x3x8x8xf32>, tensor<4x2x3x3xf32>, tensor<2x18x6x6xf32>) -> !onnx.value
    return %0 : !onnx.value
  }
}
