# What `cmake --install` puts where: the program, the worker library with what finds it (CMake,
# pkg-config), and the documents. Nothing in it names the prefix, so that the whole can be moved.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/clusterd)
set(package_build_dir ${PROJECT_BINARY_DIR}/package)

if(CLUSTERD_PROGRAM)
  install(TARGETS clusterd RUNTIME COMPONENT program)
endif()

install(TARGETS clusterd_worker clusterd_worker_shared clusterd_agent clusterd_agent_shared
  EXPORT clusterd
  ARCHIVE COMPONENT development
  LIBRARY COMPONENT library NAMELINK_COMPONENT development)
# An export of its own: only who asks for it has to have Boost.
install(TARGETS clusterd_asio EXPORT clusterd_asio)
install(DIRECTORY worker/include/clusterd agent/include/clusterd
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")

install(EXPORT clusterd FILE clusterdTargets.cmake NAMESPACE clusterd::
  DESTINATION ${package_dir} COMPONENT development)
install(EXPORT clusterd_asio FILE clusterdAsioTargets.cmake NAMESPACE clusterd::
  DESTINATION ${package_dir} COMPONENT development)
# What a C compiler does not link by itself.
set(clusterd_cxx_libraries ${CMAKE_CXX_IMPLICIT_LINK_LIBRARIES})
list(REMOVE_ITEM clusterd_cxx_libraries ${CMAKE_C_IMPLICIT_LINK_LIBRARIES})
configure_package_config_file(cmake/clusterdConfig.cmake.in
  ${package_build_dir}/clusterdConfig.cmake INSTALL_DESTINATION ${package_dir}
  NO_SET_AND_CHECK_MACRO)
# Until 1.0 the second number is the one that changes when something breaks.
write_basic_package_version_file(${package_build_dir}/clusterdConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${package_build_dir}/clusterdConfig.cmake
  ${package_build_dir}/clusterdConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT development)

# pkg-config starts from where it found the file. A folder that was given as an absolute path stays.
set(pc_prefix ${CMAKE_INSTALL_PREFIX})
cmake_path(APPEND pc_prefix ${CMAKE_INSTALL_LIBDIR} pkgconfig OUTPUT_VARIABLE pc_dir)
cmake_path(RELATIVE_PATH pc_prefix BASE_DIRECTORY ${pc_dir})
set(pc_libdir "\${prefix}")
cmake_path(APPEND pc_libdir ${CMAKE_INSTALL_LIBDIR})
set(pc_includedir "\${prefix}")
cmake_path(APPEND pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
list(TRANSFORM clusterd_cxx_libraries PREPEND -l OUTPUT_VARIABLE pc_libs_private)
list(JOIN pc_libs_private " " pc_libs_private)
foreach(library worker agent)
  configure_file(cmake/clusterd-${library}.pc.in ${package_build_dir}/clusterd-${library}.pc @ONLY)
endforeach()
install(FILES ${package_build_dir}/clusterd-worker.pc ${package_build_dir}/clusterd-agent.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

# systemd looks there if the prefix is /usr or /usr/local. The units name no folder of the prefix:
# systemd finds clusterd in its own search path.
install(FILES packaging/systemd/clusterd@.service packaging/systemd/clusterd@.socket
  DESTINATION lib/systemd/system COMPONENT program)
install(FILES packaging/systemd/clusterd.sysusers
  DESTINATION lib/sysusers.d RENAME clusterd.conf COMPONENT program)
install(FILES packaging/systemd/app.conf packaging/systemd/hardened-root.conf
  packaging/systemd/hardened-user.conf
  DESTINATION ${CMAKE_INSTALL_DATADIR}/clusterd/systemd COMPONENT program)

install(FILES README.md CHANGELOG.md SECURITY.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documentation)
install(DIRECTORY docs
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documentation
  FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")
install(DIRECTORY examples
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documentation
  FILES_MATCHING PATTERN "*.c" PATTERN "*.cpp" PATTERN "*.py" PATTERN "*.js" PATTERN "*.go"
  PATTERN "*.java" PATTERN "*.conf" PATTERN "*.cfg" PATTERN "source.txt"
  PATTERN "__pycache__" EXCLUDE)
file(READ config/app.conf example)
string(REPLACE "../build/release/examples/http-worker" "./http-worker" example "${example}")
string(REPLACE "`clusterd start config/app.conf`" "`clusterd start app.conf`" example "${example}")
file(CONFIGURE OUTPUT ${package_build_dir}/app.conf CONTENT "${example}" @ONLY)
install(FILES ${package_build_dir}/app.conf
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT documentation)
