# Compiles ONNX models as part of a build; needs LLMOPT_COMPILE, the compiler's path.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

# llmopt_add_model(NAME MODEL [OUTPUT FILE] [FLAGS FLAGS...])
#
# Adds a target that compiles the ONNX file MODEL with llmopt-compile FLAGS whenever it
# changes. The library is FILE, by default NAME.so in the current build folder; the
# target's property LLMOPT_MODEL_FILE holds its path.
function(llmopt_add_model name model)
  cmake_parse_arguments(ARG "" "OUTPUT" "FLAGS" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "llmopt_add_model(${name}): unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT LLMOPT_COMPILE)
    message(FATAL_ERROR "llmopt_add_model(${name}): llmopt-compile was not found; set LLMOPT_COMPILE")
  endif()
  cmake_path(ABSOLUTE_PATH model BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  if(NOT ARG_OUTPUT)
    set(ARG_OUTPUT ${name}.so)
  endif()
  cmake_path(ABSOLUTE_PATH ARG_OUTPUT BASE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  add_custom_command(OUTPUT ${ARG_OUTPUT}
    COMMAND ${LLMOPT_COMPILE} ${model} ${ARG_FLAGS} -o ${ARG_OUTPUT}
    DEPENDS ${model} VERBATIM
    COMMENT "Compiling ${model} to ${ARG_OUTPUT}")
  add_custom_target(${name} ALL DEPENDS ${ARG_OUTPUT})
  set_target_properties(${name} PROPERTIES LLMOPT_MODEL_FILE ${ARG_OUTPUT})
endfunction()
