# find_package(Thinwire CONFIG REQUIRED), then one of
#   Thinwire::client      a whole client: RunClientProgram (client/daemon/client_program.h)
#   Thinwire::session     a participant's life without gRPC, and the Trainer interface
#   Thinwire::train_data  IDX files, partitions, batches, checks of options
# The libraries are static and made with the compiler and the libraries of one Debian release.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(absl CONFIG)
find_dependency(OpenSSL)
find_dependency(ZLIB)
find_dependency(nlohmann_json CONFIG)
find_dependency(spdlog CONFIG)
find_dependency(hwy CONFIG)
find_dependency(Protobuf MODULE)
find_dependency(gRPC CONFIG)
include(${CMAKE_CURRENT_LIST_DIR}/ThinwireTargets.cmake)
