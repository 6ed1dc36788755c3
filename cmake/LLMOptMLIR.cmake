# Finds MLIR and LLD and defines llmopt_add_library, the one way to add a
# compiler-side library.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

find_package(MLIR 22.1 REQUIRED CONFIG)
find_package(LLD 22.1 REQUIRED CONFIG HINTS ${LLVM_INSTALL_PREFIX}/lib/cmake/lld)
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
set(LLVM_LINK_LLVM_DYLIB ON)
include(TableGen)
include(AddLLVM)
include(AddMLIR)
# TableGen takes its include path from the directory property.
include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
include_directories(${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
separate_arguments(LLMOPT_LLVM_DEFINITIONS NATIVE_COMMAND "${LLVM_DEFINITIONS}")

# Precompiled header with the MLIR headers that nearly every file includes.
# `-Xclang -fno-pch-timestamp` lets ccache share it.
add_library(LLMOptPCH STATIC ${PROJECT_SOURCE_DIR}/cmake/PCH.cpp)
target_compile_definitions(LLMOptPCH PUBLIC ${LLMOPT_LLVM_DEFINITIONS})
target_compile_options(LLMOptPCH PUBLIC
  -fno-exceptions -Wall -Wextra -Wno-unused-parameter -Werror=return-type
  "SHELL:-Xclang -fno-pch-timestamp")
target_precompile_headers(LLMOptPCH PRIVATE
  ${PROJECT_SOURCE_DIR}/cmake/LLVMStatistics.h
  <mlir/IR/Builders.h>
  <mlir/IR/BuiltinOps.h>
  <mlir/IR/BuiltinTypes.h>
  <mlir/IR/PatternMatch.h>
  <mlir/Pass/Pass.h>
  <mlir/Bytecode/BytecodeOpInterface.h>
  <mlir/Dialect/Func/IR/FuncOps.h>
  <mlir/Interfaces/SideEffectInterfaces.h>
  <mlir/Transforms/GreedyPatternRewriteDriver.h>
  <llvm/Support/raw_ostream.h>)

# llmopt_add_library(NAME SOURCES... [TABLEGEN TARGETS...] [LINK LIBS...])
#
# Adds a static library of compiler-side code: include root, warnings, no
# exceptions, the shared precompiled header. TABLEGEN names targets whose
# generated headers the sources include.
function(llmopt_add_library name)
  cmake_parse_arguments(ARG "" "" "TABLEGEN;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC LLMOptPCH ${ARG_LINK})
  target_precompile_headers(${name} REUSE_FROM LLMOptPCH)
  if(ARG_TABLEGEN)
    add_dependencies(${name} ${ARG_TABLEGEN})
  endif()
endfunction()

# llmopt_add_executable(NAME SOURCES... [LINK LIBS...])
#
# Adds a program linked with the shared MLIR and LLVM libraries.
function(llmopt_add_executable name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  # As the libraries, and so the precompiled header: not -fPIE.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  target_link_libraries(${name} PRIVATE LLMOptPCH ${ARG_LINK} MLIR LLVM)
  target_precompile_headers(${name} REUSE_FROM LLMOptPCH)
endfunction()

# llmopt_install_tool(NAME): installs a tool, which finds MLIR and LLVM where the build
# found them.
function(llmopt_install_tool name)
  set_target_properties(${name} PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS ${name} RUNTIME COMPONENT llmopt-tools)
endfunction()
