# libvoucher.so and libvoucher.a, and what a C program needs to find them. Both show the functions of libvoucher.symbols and
# nothing else.
#
#   cmake --build build/release --target libvoucher
#   cmake --install build/release --component libvoucher --prefix /usr/local

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(symbols "${CMAKE_CURRENT_SOURCE_DIR}/libvoucher.symbols")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${symbols}")
file(STRINGS "${symbols}" names)
list(JOIN names ";\n    " names)
set(version_script "${CMAKE_CURRENT_BINARY_DIR}/libvoucher.map")
file(CONFIGURE OUTPUT "${version_script}" CONTENT "VOUCHER_1.0 {\n  global:\n    @names@;\n  local:\n    *;\n};\n" @ONLY)

add_library(voucher_shared SHARED $<TARGET_OBJECTS:cahn_voucher_c>)
set_target_properties(voucher_shared PROPERTIES
  OUTPUT_NAME voucher VERSION 1.0.0 SOVERSION 1 EXPORT_NAME Shared LINKER_LANGUAGE CXX LINK_DEPENDS "${version_script}")
target_link_libraries(voucher_shared PRIVATE cahn_voucher cahn_crypto cahn_base OpenSSL::Crypto)
target_link_options(voucher_shared PRIVATE
  "LINKER:--version-script=${version_script}" LINKER:--as-needed LINKER:-z,defs LINKER:--exclude-libs,ALL)

# The archive is linked by C compilers, which know nothing of the C++ runtime (decision 70). So its one object is all that is
# needed of ours and of libstdc++, linked as far as it can be (-r). C++ templates are in groups that a linker folds with those
# of other objects by name; taken out of them (--force-group-allocation), and with every name but ours made local, ours
# cannot meet another C++ runtime or library in the same program. Binutils' objcopy leaves STB_GNU_UNIQUE symbols global.
find_program(CAHN_LD_BFD ld.bfd REQUIRED)
find_program(CAHN_LLVM_OBJCOPY NAMES llvm-objcopy-19 llvm-objcopy REQUIRED)
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libstdc++.a
                OUTPUT_VARIABLE libstdcxx OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
set(archive "${CMAKE_CURRENT_BINARY_DIR}/libvoucher.a")
add_custom_command(OUTPUT "${archive}"
  COMMAND ${CAHN_LD_BFD} -r --force-group-allocation -o libvoucher-whole.o
          --whole-archive $<TARGET_FILE:cahn_voucher_c> --no-whole-archive
          $<TARGET_FILE:cahn_voucher> $<TARGET_FILE:cahn_crypto> $<TARGET_FILE:cahn_base> "${libstdcxx}"
  COMMAND ${CAHN_LLVM_OBJCOPY} "--keep-global-symbols=${symbols}" --strip-unneeded libvoucher-whole.o libvoucher.o
  COMMAND ${CMAKE_COMMAND} -E rm -f "${archive}"
  COMMAND ${CMAKE_AR} rcs "${archive}" libvoucher.o
  DEPENDS cahn_voucher_c cahn_voucher cahn_crypto cahn_base "${symbols}"
  WORKING_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}" VERBATIM COMMENT "Linking libvoucher.a")
add_custom_target(voucher_archive ALL DEPENDS "${archive}")
add_custom_target(libvoucher DEPENDS voucher_archive voucher_shared)

set(config_folder "${CMAKE_INSTALL_LIBDIR}/cmake/voucher")
configure_package_config_file(voucher-config.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/voucher-config.cmake"
  INSTALL_DESTINATION "${config_folder}" PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/voucher-config-version.cmake"
  VERSION 1.0.0 COMPATIBILITY SameMajorVersion)
file(RELATIVE_PATH libdir_to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file(libvoucher.pc.in libvoucher.pc @ONLY)

install(TARGETS voucher_shared LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT libvoucher)
install(FILES "${archive}" DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT libvoucher)
install(DIRECTORY "${CMAKE_SOURCE_DIR}/include/voucher" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT libvoucher
        FILES_MATCHING PATTERN "*.h")
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/libvoucher.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT libvoucher)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/voucher-config.cmake" "${CMAKE_CURRENT_BINARY_DIR}/voucher-config-version.cmake"
        DESTINATION "${config_folder}" COMPONENT libvoucher)
