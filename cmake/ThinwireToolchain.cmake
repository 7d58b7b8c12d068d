# Compiler rules that hold for every file of the tree.
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

# -ffp-contract=off: g++ fuses a*b+c by default, and fused results differ from the unfused ones that
# machines without FMA produce. Everything two machines must agree on depends on this flag.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Werror -ffp-contract=off)

if(THINWIRE_SANITIZE)
  add_compile_options(-fsanitize=${THINWIRE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${THINWIRE_SANITIZE})
endif()

find_program(THINWIRE_CCACHE ccache)
if(THINWIRE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${THINWIRE_CCACHE})
endif()
find_program(THINWIRE_MOLD mold)
find_program(THINWIRE_LLD ld.lld)
if(THINWIRE_MOLD)
  add_link_options(-fuse-ld=mold)
elseif(THINWIRE_LLD)
  add_link_options(-fuse-ld=lld)
endif()
