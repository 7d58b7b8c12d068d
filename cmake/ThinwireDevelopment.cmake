# The component `dev`, package thinwire-dev: what a project outside of this tree needs to make a client with a trainer of
# its own (docs/extend.md). Headers go to include/thinwire, where they find each other by the names that they have here.
# Included by ThinwirePackages.cmake.
set(THINWIRE_LIBRARY_DIR lib/${CMAKE_LIBRARY_ARCHITECTURE})
set(THINWIRE_CMAKE_DIR ${THINWIRE_LIBRARY_DIR}/cmake/Thinwire)

# Target here -> name in Thinwire::. `client`, `session` and `train_data` are meant to be named; the others come along.
set(dev_targets)
foreach(pair thinwire_client_program:client thinwire_session:session thinwire_train_data:train_data
             thinwire_coordinates:coordinates thinwire_update:update thinwire_rdu:rdu
             thinwire_entropy:entropy thinwire_quantize:quantize thinwire_sketch:sketch thinwire_subspace:subspace
             thinwire_codec:codec thinwire_tensor:tensor thinwire_base:base
             thinwire_client_rpc:client_rpc thinwire_rpc:rpc thinwire_wire:wire thinwire_proto:proto)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 target)
  list(GET pair 1 name)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  list(APPEND dev_targets ${target})
endforeach()
# Headers have inline arithmetic on which machines must agree: see ThinwireToolchain.cmake.
target_compile_options(thinwire_base INTERFACE $<INSTALL_INTERFACE:-ffp-contract=off>)
target_compile_features(thinwire_base PUBLIC cxx_std_17)

install(TARGETS ${dev_targets} EXPORT ThinwireTargets COMPONENT dev
        ARCHIVE DESTINATION ${THINWIRE_LIBRARY_DIR} INCLUDES DESTINATION include/thinwire)
install(EXPORT ThinwireTargets NAMESPACE Thinwire:: DESTINATION ${THINWIRE_CMAKE_DIR} COMPONENT dev)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/common/base ${PROJECT_SOURCE_DIR}/common/tensor ${PROJECT_SOURCE_DIR}/common/codec
                  ${PROJECT_SOURCE_DIR}/common/subspace
        DESTINATION include/thinwire/common COMPONENT dev
        FILES_MATCHING PATTERN "*.h" PATTERN kernels EXCLUDE PATTERN fastfood_rows.h EXCLUDE)  # of kernels, too
install(DIRECTORY ${PROJECT_SOURCE_DIR}/client/session DESTINATION include/thinwire/client COMPONENT dev
        FILES_MATCHING PATTERN "*.h")
# Of client/train only what belongs to the library without LibTorch.
get_target_property(train_sources thinwire_train_data SOURCES)
foreach(source ${train_sources})
  string(REGEX REPLACE "cc$" "h" header ${source})
  install(FILES ${PROJECT_SOURCE_DIR}/client/train/${header} DESTINATION include/thinwire/client/train COMPONENT dev)
endforeach()
foreach(header client_flags client_program client_task command_line)
  install(FILES ${PROJECT_SOURCE_DIR}/client/daemon/${header}.h
          DESTINATION include/thinwire/client/daemon COMPONENT dev)
endforeach()

include(CMakePackageConfigHelpers)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ThinwireConfigVersion.cmake COMPATIBILITY ExactVersion)
install(FILES ${PROJECT_SOURCE_DIR}/cmake/ThinwireConfig.cmake ${PROJECT_BINARY_DIR}/ThinwireConfigVersion.cmake
        DESTINATION ${THINWIRE_CMAKE_DIR} COMPONENT dev)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/deploy/example_trainer/
        DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/thinwire-dev/examples/trainer COMPONENT dev)
install(FILES ${PROJECT_SOURCE_DIR}/deploy/debian/copyright
        DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/thinwire-dev COMPONENT dev)
