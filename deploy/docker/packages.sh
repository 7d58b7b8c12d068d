#!/bin/sh
# Puts the Debian packages into a folder, inside an image's build: packages.sh compile|prebuilt DIR
set -eu
mkdir -p "$2"
case $1 in
  compile)
    . scripts/lib.sh
    cmake --preset release
    cmake --build build/release -j "$(build_jobs)" --target packages
    cp build/release/packages/*.deb "$2"
    ;;
  prebuilt)
    for name in thinwire-server thinwire-client thinwire; do
      set -- "$1" "$2" out/packages/"$name"_*.deb
      [ $# = 3 ] && [ -f "$3" ] ||
        { echo "error: PACKAGES=prebuilt needs exactly one out/packages/${name}_*.deb; ./run packages makes it" >&2; exit 1; }
      cp "$3" "$2"
    done
    ;;
  *) echo "error: PACKAGES is '$1', not compile or prebuilt" >&2; exit 1 ;;
esac
