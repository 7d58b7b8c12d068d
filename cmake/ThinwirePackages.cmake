# What `cmake --install` puts where, by component, and the Debian packages that CPack makes of the components:
#   server -> thinwire-server, client -> thinwire-client (with thinwire-client-torch), tool -> thinwire,
#   dev -> thinwire-dev (ThinwireDevelopment.cmake)
# `cmake --build DIR --target packages` leaves them in DIR/packages. No install rules are in the rooms.
include(GNUInstallDirs)
# Installing needs the programs, not the tests: `packages` below names what is to be built.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
set(THINWIRE_PACKAGE_CONTACT "Thinwire maintainers <maintainers@thinwire.invalid>" CACHE STRING
    "Maintainer of the packages: NAME <ADDRESS>")

# thinwire_install_service(COMPONENT c UNIT file CONFIG a b ... DEFAULTS file): a systemd unit, the files for
# <etc>/thinwire and the one for <etc>/default. The unit names the paths of the prefix it is installed to, which is
# known only then; <etc> is /etc for the prefix /usr and PREFIX/etc for all others.
function(thinwire_install_service)
  cmake_parse_arguments(ARG "" "COMPONENT;UNIT;DEFAULTS" "CONFIG" ${ARGN})
  install(CODE "
    set(BIN \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
    set(ETC \"\${CMAKE_INSTALL_PREFIX}/etc\")
    if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
      set(ETC /etc)
    endif()
    foreach(name ${ARG_UNIT} ${ARG_DEFAULTS} ${ARG_CONFIG})
      configure_file(\"${PROJECT_SOURCE_DIR}/deploy/systemd/\${name}.in\" \"${PROJECT_BINARY_DIR}/systemd/\${name}\" @ONLY)
    endforeach()
    file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\" TYPE FILE
         FILES \"${PROJECT_BINARY_DIR}/systemd/${ARG_UNIT}\")
    file(INSTALL DESTINATION \"\${ETC}/default\" TYPE FILE FILES \"${PROJECT_BINARY_DIR}/systemd/${ARG_DEFAULTS}\"
         RENAME \"thinwire-${ARG_COMPONENT}\")
    foreach(name ${ARG_CONFIG})
      file(INSTALL DESTINATION \"\${ETC}/thinwire\" TYPE FILE FILES \"${PROJECT_BINARY_DIR}/systemd/\${name}\")
    endforeach()" COMPONENT ${ARG_COMPONENT})
endfunction()

# thinwire_component(name package PROGRAMS ...): its programs, and the licence where Debian wants it.
function(thinwire_component name package)
  install(TARGETS ${ARGN} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${name})
  install(FILES ${PROJECT_SOURCE_DIR}/deploy/debian/copyright
          DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/${package} COMPONENT ${name})
endfunction()

if(NOT TARGET thinwire-server)
  return()   # without gRPC there are no programs
endif()

set(components server tool)
set(programs thinwire-server thinwire)
thinwire_component(server thinwire-server thinwire-server)
thinwire_install_service(COMPONENT server UNIT thinwire-server.service DEFAULTS server.env CONFIG server.textproto)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/deploy/config/ COMPONENT server
        DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/thinwire-server/examples)
thinwire_component(tool thinwire thinwire)
set(client_programs thinwire-client)
if(TARGET thinwire-client-torch)
  list(APPEND client_programs thinwire-client-torch)
endif()
list(APPEND components client)
list(APPEND programs ${client_programs})
thinwire_component(client thinwire-client ${client_programs})
thinwire_install_service(COMPONENT client UNIT thinwire-client@.service DEFAULTS client.env)
list(APPEND components dev)
include(ThinwireDevelopment)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME thinwire)
set(CPACK_PACKAGE_VENDOR Thinwire)
set(CPACK_PACKAGE_CONTACT ${THINWIRE_PACKAGE_CONTACT})
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_COMPONENTS_ALL ${components})
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)   # for what goes to /etc
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)

# thinwire_debian_package(component package TEXT t DEPENDS d): the control fields of one package. Depends is added to
# what dpkg-shlibdeps finds. The first line of its description is the project's. Maintainer scripts and conffiles lie in
# deploy/debian/<component>.
macro(thinwire_debian_package component package)
  cmake_parse_arguments(ARG "" "TEXT;DEPENDS;RECOMMENDS;SUGGESTS" "" ${ARGN})
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${package})
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${ARG_TEXT}")
  foreach(field DEPENDS RECOMMENDS SUGGESTS)
    if(ARG_${field})
      set(CPACK_DEBIAN_${upper}_PACKAGE_${field} "${ARG_${field}}")
    endif()
  endforeach()
  file(GLOB CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/deploy/debian/${component}/*)
endmacro()

# adduser: the scripts make the system user.
thinwire_debian_package(server thinwire-server DEPENDS adduser SUGGESTS thinwire
  TEXT "The server: hands out rounds to clients, folds their updates, keeps the model. Comes with a systemd service.")
# Without OpenBLAS, LibTorch trains about ten times slower.
thinwire_debian_package(client thinwire-client DEPENDS "adduser, libopenblas0-pthread | libopenblas0"
  RECOMMENDS dataset-fashion-mnist
  TEXT "The client: trains a model on this machine's data for a federation. Comes with a systemd service template.")
thinwire_debian_package(tool thinwire
  TEXT "The operator's tool: shows and exports what a Thinwire server does.")
# What ThinwireConfig.cmake looks for. gRPC's own CMake files want pkg-config and the compiler's plugins.
thinwire_debian_package(dev thinwire-dev
  DEPENDS "libabsl-dev, libgrpc++-dev, libgrpc-dev, libhwy-dev, libprotobuf-dev, libspdlog-dev, libssl-dev, \
nlohmann-json3-dev, pkg-config, protobuf-compiler, protobuf-compiler-grpc, zlib1g-dev"
  SUGGESTS "cmake, g++, thinwire-server, thinwire"
  TEXT "Headers and static libraries for clients with trainers of their own; comes with an example.")
include(CPack)

add_custom_target(packages COMMAND ${CMAKE_CPACK_COMMAND} --config ${PROJECT_BINARY_DIR}/CPackConfig.cmake
                  WORKING_DIRECTORY ${PROJECT_BINARY_DIR} COMMENT "Making Debian packages" USES_TERMINAL VERBATIM)
add_dependencies(packages ${programs} ${dev_targets})
