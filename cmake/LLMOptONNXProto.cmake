# Generates the Protocol Buffers code of the ONNX schema and defines the
# library LLMOptONNXProto. The schema is onnx-ml.proto of the Python package
# `onnx`, which is always current; Debian's libonnx stops at opset 17.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

find_package(Protobuf 3.21 REQUIRED)

# Sets ${result} to the directory of the Python package onnx, if a Python finds
# it: that of scripts/setup first, then any python3.
function(llmopt_find_onnx_package result)
  set(cache "$ENV{LLMOPT_CACHE}")
  if(NOT cache AND NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
    set(cache "$ENV{XDG_CACHE_HOME}/llmopt")
  elseif(NOT cache)
    set(cache "$ENV{HOME}/.cache/llmopt")
  endif()
  foreach(python "${cache}/venv/bin/python" python3)
    execute_process(
      COMMAND ${python} -c "from importlib.util import find_spec as f; print(f('onnx').submodule_search_locations[0])"
      OUTPUT_VARIABLE directory OUTPUT_STRIP_TRAILING_WHITESPACE
      ERROR_QUIET RESULT_VARIABLE status)
    if(status EQUAL 0 AND EXISTS "${directory}/onnx-ml.proto")
      set(${result} "${directory}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

if(NOT LLMOPT_ONNX_PROTO_DIR)
  llmopt_find_onnx_package(LLMOPT_ONNX_FOUND_DIR)
  set(LLMOPT_ONNX_PROTO_DIR "${LLMOPT_ONNX_FOUND_DIR}" CACHE PATH
    "directory that holds onnx-ml.proto, such as that of the Python package onnx" FORCE)
endif()
if(NOT EXISTS "${LLMOPT_ONNX_PROTO_DIR}/onnx-ml.proto")
  message(FATAL_ERROR
    "onnx-ml.proto not found (LLMOPT_ONNX_PROTO_DIR is '${LLMOPT_ONNX_PROTO_DIR}'): "
    "run scripts/setup, or set LLMOPT_ONNX_PROTO_DIR to the directory of the Python package onnx")
endif()

set(LLMOPT_ONNX_GENERATED ${PROJECT_BINARY_DIR}/generated/onnx)
file(MAKE_DIRECTORY ${LLMOPT_ONNX_GENERATED})
add_custom_command(
  OUTPUT ${LLMOPT_ONNX_GENERATED}/onnx-ml.pb.cc ${LLMOPT_ONNX_GENERATED}/onnx-ml.pb.h
  COMMAND protobuf::protoc --cpp_out=${LLMOPT_ONNX_GENERATED} -I${LLMOPT_ONNX_PROTO_DIR} ${LLMOPT_ONNX_PROTO_DIR}/onnx-ml.proto
  DEPENDS ${LLMOPT_ONNX_PROTO_DIR}/onnx-ml.proto
  COMMENT "Generating onnx-ml.pb.cc" VERBATIM)

# The schema asks for the lite runtime itself. The custom target lets other
# libraries wait for the header.
add_custom_target(LLMOptONNXProtoGen DEPENDS ${LLMOPT_ONNX_GENERATED}/onnx-ml.pb.h)
add_library(LLMOptONNXProto STATIC ${LLMOPT_ONNX_GENERATED}/onnx-ml.pb.cc)
add_dependencies(LLMOptONNXProto LLMOptONNXProtoGen)
target_include_directories(LLMOptONNXProto SYSTEM PUBLIC ${LLMOPT_ONNX_GENERATED})
target_link_libraries(LLMOptONNXProto PUBLIC protobuf::libprotobuf-lite)
