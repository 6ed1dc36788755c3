# One cache variable turns on sanitizers for everything that is compiled here.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

if(LLMOPT_SANITIZER)
  string(REPLACE ";" "," LLMOPT_SANITIZER_LIST "${LLMOPT_SANITIZER}")
  add_compile_options(-fsanitize=${LLMOPT_SANITIZER_LIST} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${LLMOPT_SANITIZER_LIST})
endif()
