# Language, warnings, sanitizers, linker and cache: the same for every target of the tree.

option(CAHN_TESTS "Build the programs and libraries that tests use" ON)
option(CAHN_UNIT_TESTS "Build the unit tests" ON)
option(CAHN_FUZZ "Build the libFuzzer targets (clang only)" OFF)
option(CAHN_BENCH "Build the benchmarks" OFF)
set(CAHN_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined or thread")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
# -fPIC everywhere, also in programs, so that libraries and programs can share the precompiled headers.
add_compile_options(-fPIC)
add_link_options($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

add_compile_options(-Wall -Wextra -Werror -Wno-missing-field-initializers)
# -O1 keeps coroutines and Asio fast enough to test with, and compiles as quickly as -O0.
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
add_compile_definitions(BOOST_ASIO_NO_DEPRECATED JSON_USE_IMPLICIT_CONVERSIONS=0)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-fstack-protector-strong -ffunction-sections -fdata-sections)
  add_link_options(-Wl,--gc-sections)
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these inside optimised Boost and libstdc++ code, where they are wrong.
  add_compile_options(-Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread
                      -Wno-restrict -Wno-dangling-pointer $<$<COMPILE_LANGUAGE:CXX>:-Wno-mismatched-new-delete> -Wno-free-nonheap-object)
endif()

if(CAHN_SANITIZE)
  add_compile_options(-fsanitize=${CAHN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CAHN_SANITIZE})
  # Tests look for undefined behaviour in what they test: without it in their own code a tenth of the build is saved.
  add_compile_options($<$<STREQUAL:$<TARGET_PROPERTY:CAHN_KIND>,test>:-fno-sanitize=undefined>)
  # cmake/pch/instances.h: a sixth of the code is made once instead of in every object.
  add_compile_definitions($<$<COMPILE_LANGUAGE:CXX>:CAHN_SHARED_INSTANCES> $<$<COMPILE_LANGUAGE:CXX>:BOOST_ASIO_SEPARATE_COMPILATION>)
endif()

find_program(CAHN_MOLD mold)
if(CAHN_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_link_options(-fuse-ld=mold)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
endif()

include_directories(cmake/pch)

find_program(CAHN_CCACHE ccache)
if(CAHN_CCACHE)
  # Precompiled headers are safe to cache when defines are compared by content and times are ignored.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      # clang is told so where this tree's precompiled header lies; what is in the header counts all the same.
      CCACHE_IGNOREOPTIONS=-Xclang CCACHE_PCH_EXTSUM=1 ${CAHN_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
  else()
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  endif()
endif()
