# The Debian packages, made by scripts/package: `clusterd`, all that runs; `libclusterd-worker0`,
# the shared libraries of workers and of agents; and `libclusterd-dev`, what programs with them are
# built with. What they need is read from the programs themselves.
if(NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  return()
endif()
set(release 1 CACHE STRING "The revision of the Debian packages")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME clusterd)
set(CPACK_PACKAGE_CONTACT "clusterd maintainers <maintainers@clusterd.invalid>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "keeps server programs on all cores of a machine")
set(CPACK_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_SET_DESTDIR ON)  # /etc lies outside of the prefix
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/compress_manual_pages.cmake)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL program documentation library development)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_COMPONENT_PROGRAM_GROUP clusterd)
set(CPACK_COMPONENT_DOCUMENTATION_GROUP clusterd)
set(CPACK_COMPONENT_LIBRARY_GROUP library)
set(CPACK_COMPONENT_DEVELOPMENT_GROUP development)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${release})
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_CLUSTERD_PACKAGE_NAME clusterd)
set(CPACK_DEBIAN_CLUSTERD_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_CLUSTERD_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_CLUSTERD_DESCRIPTION
"clusterd owns the listening sockets of a server, starts one agent and a pool
of worker processes, and hands them connections in turn or lets them race for
them. Workers that die, or say that they will, are replaced, restarts are
limited, and a reload replaces all of them without losing a connection.")
set(CPACK_DEBIAN_CLUSTERD_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/packaging/debian/conffiles
  ${PROJECT_SOURCE_DIR}/packaging/debian/postinst
  ${PROJECT_SOURCE_DIR}/packaging/debian/prerm
  ${PROJECT_SOURCE_DIR}/packaging/debian/postrm)

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libclusterd-worker0)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION
"The libraries that a program links to run as a worker of clusterd, or by itself
(libclusterd-worker.so.0), or as the agent program beside the workers
(libclusterd-agent.so.0).")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libclusterd-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "libclusterd-worker0 (= ${PROJECT_VERSION}-${release})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "clusterd, libboost-dev")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION
"What a program with the worker library or the agent library is built with:
headers for C and C++, the static libraries, and what CMake and pkg-config need
to find them. With Boost's headers there are an acceptor for Asio and sessions
on top of it.")

include(CPack)
