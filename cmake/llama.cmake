# Target eb_llama: llama.cpp, looked for in this order
#   1. -DEDGEBENCH_LLAMA_SOURCE=<tree>: that tree, built into the cache;
#   2. an installed llama.cpp (find_package);
#   3. the pinned release, fetched with `npm pack`, built into the cache.
# The cache is $XDG_CACHE_HOME/edgebench (or ~/.cache/edgebench), a folder a
# version and set of flags; later configures reuse it.

set(EDGEBENCH_LLAMA_SOURCE "" CACHE PATH "llama.cpp source tree to use")
option(GGML_CUDA "llama.cpp with CUDA" OFF)
option(GGML_METAL "llama.cpp with Metal" ${APPLE})
option(GGML_VULKAN "llama.cpp with Vulkan" OFF)
option(GGML_NATIVE "llama.cpp for this very processor" ON)
option(GGML_BLAS "llama.cpp with OpenBLAS (training the ladder wants it)" OFF)

set(llama_version 0.5.0)
set(llama_commit de3ff815ea7d559ee917f063901b8986f038abc6)
set(llama_package node-llama-cpp@3.22.1)
set(llama_archive node-llama-cpp-3.22.1.tgz)
# The registry's SHA-512 integrity of the archive, as hexadecimal digits.
string(CONCAT llama_sha512
  "6e5b488a9b9699cd76dc7eed30880318a4ac4ab86686541879550"
  "2e3c5d38d55bb5c624988927209d95333343f2e25a83e4183a5c2"
  "f816f883a60c3ba9f4e20f")

set(llama_options -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF
  -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DGGML_OPENMP=OFF
  -DLLAMA_BUILD_COMMON=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_TESTS=OFF
  -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF
  -DGGML_CUDA=${GGML_CUDA} -DGGML_METAL=${GGML_METAL}
  -DGGML_VULKAN=${GGML_VULKAN} -DGGML_NATIVE=${GGML_NATIVE})
if(GGML_BLAS)
  list(APPEND llama_options -DGGML_BLAS=ON -DGGML_BLAS_VENDOR=OpenBLAS)
endif()

# A step of the set-up; its output goes to a log that the error names.
function(llama_run what log)
  execute_process(COMMAND ${ARGN} OUTPUT_FILE ${log} ERROR_FILE ${log}
    RESULT_VARIABLE rc)
  if(NOT rc EQUAL 0)
    message(FATAL_ERROR "llama.cpp: ${what} failed; see ${log}, or configure "
      "with -DEDGEBENCH_LLAMA=OFF or -DEDGEBENCH_LLAMA_SOURCE=<tree>")
  endif()
endfunction()

# Fetches the pinned release and sets `out` to its tree.
function(llama_fetch cache out)
  set(tree ${cache}/llama-${llama_version}-source)
  set(${out} ${tree} PARENT_SCOPE)
  if(EXISTS ${tree}/.complete)
    return()
  endif()
  find_program(npm_program npm REQUIRED)
  find_program(git_program git REQUIRED)
  set(work ${cache}/fetch)
  file(REMOVE_RECURSE ${work} ${tree})
  file(MAKE_DIRECTORY ${work})
  message(STATUS "llama.cpp: fetching ${llama_package}")
  llama_run("npm pack" ${cache}/fetch.log ${npm_program} pack --silent
    --pack-destination ${work} ${llama_package})
  file(SHA512 ${work}/${llama_archive} sum)
  if(NOT sum STREQUAL llama_sha512)
    message(FATAL_ERROR "llama.cpp: ${work}/${llama_archive} has SHA-512 "
      "${sum}, not the pinned one; nothing of it was used")
  endif()
  file(ARCHIVE_EXTRACT INPUT ${work}/${llama_archive} DESTINATION ${work}
    PATTERNS package/llama/gitRelease.bundle)
  llama_run("git clone" ${cache}/clone.log ${git_program} clone --quiet
    ${work}/package/llama/gitRelease.bundle ${tree})
  file(REMOVE_RECURSE ${work})
  file(TOUCH ${tree}/.complete)
endfunction()

# Builds `tree` once and sets `out` to the installed prefix.
function(llama_build cache tree label out)
  string(SHA256 key "${tree} ${llama_options} ${CMAKE_C_COMPILER}")
  string(SUBSTRING ${key} 0 12 key)
  set(prefix ${cache}/llama-${label}-${key})
  set(${out} ${prefix} PARENT_SCOPE)
  if(EXISTS ${prefix}/.complete)
    return()
  endif()
  message(STATUS "llama.cpp: building ${tree} into ${prefix} (once, minutes)")
  set(build ${cache}/build-${key})
  file(REMOVE_RECURSE ${prefix})
  llama_run("configure" ${cache}/configure.log ${CMAKE_COMMAND} -S ${tree}
    -B ${build} -G ${CMAKE_GENERATOR} ${llama_options}
    -DCMAKE_INSTALL_PREFIX=${prefix} -DCMAKE_INSTALL_LIBDIR=lib)
  cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)
  llama_run("build" ${cache}/build.log ${CMAKE_COMMAND} --build ${build}
    --parallel ${cores})
  llama_run("install" ${cache}/install.log ${CMAKE_COMMAND} --install ${build})
  file(REMOVE_RECURSE ${build})
  file(TOUCH ${prefix}/.complete)
endfunction()

if(NOT EDGEBENCH_LLAMA_SOURCE)
  find_package(llama CONFIG QUIET)
endif()
if(NOT llama_FOUND)
  if(DEFINED ENV{XDG_CACHE_HOME})
    set(llama_cache $ENV{XDG_CACHE_HOME}/edgebench)
  else()
    set(llama_cache $ENV{HOME}/.cache/edgebench)
  endif()
  file(MAKE_DIRECTORY ${llama_cache})
  file(LOCK ${llama_cache}/lock TIMEOUT 1800)
  if(EDGEBENCH_LLAMA_SOURCE)
    set(llama_tree ${EDGEBENCH_LLAMA_SOURCE})
    set(llama_label source)
  else()
    llama_fetch(${llama_cache} llama_tree)
    set(llama_label ${llama_version})
  endif()
  llama_build(${llama_cache} ${llama_tree} ${llama_label} llama_prefix)
  file(LOCK ${llama_cache}/lock RELEASE)
  find_package(llama CONFIG REQUIRED PATHS ${llama_prefix} NO_DEFAULT_PATH)
endif()
message(STATUS "llama.cpp: ${llama_VERSION} from ${llama_DIR}")

add_library(eb_llama INTERFACE)
# Programs in C link its C++ archives, so the run-time library is named here.
target_link_libraries(eb_llama INTERFACE llama
  $<IF:$<BOOL:${APPLE}>,c++,stdc++> ${CMAKE_DL_LIBS} m)
target_compile_definitions(eb_llama INTERFACE
  EB_LLAMA_VERSION="${llama_VERSION}" EB_LLAMA_COMMIT="${llama_commit}"
  EB_LLAMA_FLAGS="CUDA=${GGML_CUDA} METAL=${GGML_METAL} VULKAN=${GGML_VULKAN} NATIVE=${GGML_NATIVE}")
