# How a room, its tests, its fuzz targets and a benchmark are declared. Each folder of src/ is one or a few libraries.

# Adds every direct subfolder of FOLDER that has a CMakeLists.txt, so that a new room is a new folder and nothing else.
function(cahn_add_every_folder FOLDER)
  file(GLOB lists CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${FOLDER}/*/CMakeLists.txt")
  list(SORT lists)
  foreach(list_file IN LISTS lists)
    get_filename_component(folder "${list_file}" DIRECTORY)
    add_subdirectory("${folder}")
  endforeach()
endfunction()

# Three precompiled headers are shared by the whole tree: the standard library (light), the same with Asio and JSON (heavy),
# and that with GoogleTest (test). They only save time: every file includes what it uses.
function(_cahn_precompiled NAME HEADER)
  cmake_parse_arguments(ARG "" "" "OPTIONS;LINKS" ${ARGN})
  if(NOT TARGET cahn_pch_${NAME})
    file(WRITE "${CMAKE_BINARY_DIR}/pch/${NAME}.cpp.in" "")
    configure_file("${CMAKE_BINARY_DIR}/pch/${NAME}.cpp.in" "${CMAKE_BINARY_DIR}/pch/${NAME}.cpp" COPYONLY)
    add_library(cahn_pch_${NAME} OBJECT "${CMAKE_BINARY_DIR}/pch/${NAME}.cpp")
    target_precompile_headers(cahn_pch_${NAME} PRIVATE <${HEADER}>)
    target_compile_options(cahn_pch_${NAME} PRIVATE ${ARG_OPTIONS})
    target_link_libraries(cahn_pch_${NAME} PRIVATE ${ARG_LINKS} Threads::Threads)
    if(CAHN_CCACHE)
      _cahn_name_precompiled(${NAME} ${HEADER})
    endif()
  endif()
endfunction()

# A precompiled header holds its tree's absolute path, so that it is made anew in each tree; but what is compiled with it is
# the same wherever the header's text, the compiler and the flags are. ccache is told that name of it (pch_external_checksum).
function(_cahn_name_precompiled NAME HEADER)
  set_target_properties(cahn_pch_${NAME} PROPERTIES CXX_COMPILER_LAUNCHER "")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/cmake/pch/${HEADER}")
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -std=c++23 -E -P "${CMAKE_SOURCE_DIR}/cmake/pch/${HEADER}"
                  OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  get_target_property(options cahn_pch_${NAME} COMPILE_OPTIONS)
  string(SHA256 name "${text};${options};${CMAKE_CXX_FLAGS_${CMAKE_BUILD_TYPE}};${CMAKE_BUILD_TYPE};${CMAKE_CXX_COMPILER_VERSION}")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    set(ending pch)
  else()
    set(ending gch)
  endif()
  file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/cahn_pch_${NAME}.dir/cmake_pch.hxx.${ending}.sum" "${name}")
endfunction()

# cahn_library(cahn_room SOURCES a.cpp … [USES cahn_crypto …] [LINKS OpenSSL::Crypto …] [HEAVY])
# USES are rooms whose headers appear in ours or in our sources; LINKS are foreign libraries. HEAVY: sources use Asio.
function(cahn_library TARGET)
  cmake_parse_arguments(ARG "HEAVY" "" "SOURCES;USES;LINKS" ${ARGN})
  add_library(${TARGET} STATIC ${ARG_SOURCES})
  target_include_directories(${TARGET} PUBLIC "${CMAKE_SOURCE_DIR}/src" "${CMAKE_SOURCE_DIR}/include")
  target_link_libraries(${TARGET} PUBLIC ${ARG_USES} PRIVATE ${ARG_LINKS} Threads::Threads)
  _cahn_pick_precompiled(${TARGET} "${ARG_HEAVY}")
endfunction()

function(_cahn_pick_precompiled TARGET HEAVY)
  if(HEAVY)
    _cahn_precompiled(heavy heavy.h)
    target_precompile_headers(${TARGET} REUSE_FROM cahn_pch_heavy)
  else()
    _cahn_precompiled(light light.h)
    target_precompile_headers(${TARGET} REUSE_FROM cahn_pch_light)
  endif()
endfunction()

# cahn_program(name SOURCES … [USES …] [LINKS …] [HEAVY])
function(cahn_program TARGET)
  cmake_parse_arguments(ARG "HEAVY" "" "SOURCES;USES;LINKS" ${ARGN})
  add_executable(${TARGET} ${ARG_SOURCES})
  target_include_directories(${TARGET} PRIVATE "${CMAKE_SOURCE_DIR}/src" "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${TARGET} PRIVATE ${ARG_USES} ${ARG_LINKS} Threads::Threads)
  _cahn_pick_precompiled(${TARGET} "${ARG_HEAVY}")
endfunction()

# cahn_unit_test(room SOURCES a_test.cpp … [USES …] [LINKS …] [CONCURRENT])
# CONCURRENT marks what TSan must run. The working directory is the source tree, so that test data has stable paths.
function(cahn_unit_test ROOM)
  cmake_parse_arguments(ARG "HEAVY;CONCURRENT" "" "SOURCES;USES;LINKS" ${ARGN})
  add_executable(unit_${ROOM} ${ARG_SOURCES})
  target_include_directories(unit_${ROOM} PRIVATE "${CMAKE_SOURCE_DIR}/src" "${CMAKE_SOURCE_DIR}")
  target_link_libraries(unit_${ROOM} PRIVATE ${ARG_USES} ${ARG_LINKS} GTest::gtest_main Threads::Threads)
  # What is tested is optimised and instrumented; the tests themselves only have to compile soon.
  _cahn_precompiled(test test.h OPTIONS -O0 LINKS GTest::gtest)
  set_target_properties(unit_${ROOM} cahn_pch_test PROPERTIES CAHN_KIND test)
  target_compile_options(unit_${ROOM} PRIVATE -O0)
  target_precompile_headers(unit_${ROOM} REUSE_FROM cahn_pch_test)
  add_test(NAME unit_${ROOM} COMMAND unit_${ROOM} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  # What the sanitizers must know; ./test sets the same. Suppressions name functions, so TSan needs a symbolizer.
  set_tests_properties(unit_${ROOM} PROPERTIES TIMEOUT 300 ENVIRONMENT
    "TSAN_OPTIONS=halt_on_error=1:suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp:external_symbolizer_path=/usr/bin/llvm-symbolizer;LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/lsan.supp:print_suppressions=0")
  if(ARG_CONCURRENT)
    set_tests_properties(unit_${ROOM} PROPERTIES LABELS "unit;concurrent")
    set_property(GLOBAL APPEND PROPERTY CAHN_CONCURRENT unit_${ROOM})
  else()
    set_tests_properties(unit_${ROOM} PROPERTIES LABELS unit)
  endif()
endfunction()

# cahn_fuzz(name SOURCES … USES …): a libFuzzer target with a corpus in tests/fuzz/<room>/corpus/<name>.
function(cahn_fuzz NAME)
  cmake_parse_arguments(ARG "HEAVY" "" "SOURCES;USES;LINKS" ${ARGN})
  set(heavy "")
  if(ARG_HEAVY)
    set(heavy HEAVY)
  endif()
  cahn_program(fuzz_${NAME} SOURCES ${ARG_SOURCES} USES ${ARG_USES} LINKS ${ARG_LINKS} ${heavy})
  target_link_options(fuzz_${NAME} PRIVATE -fsanitize=fuzzer)
endfunction()
