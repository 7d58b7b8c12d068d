#!/usr/bin/env python3
"""Checks that includes point one way: every folder includes only what its line in ROOMS allows.

Prints each include that breaks a rule as FILE:LINE and exits with 1. Debian puts all headers in /usr/include, so the
linker's view of dependencies cannot stop a wrong include; this can.
"""
import argparse
import os
import re
import sys

# Libraries by the prefix of their headers. A header with none of these prefixes belongs to the system.
LIBRARIES = {
    'absl/': 'absl', 'grpc/': 'grpc', 'grpcpp/': 'grpc', 'google/protobuf/': 'protobuf', 'thinwire/v1/': 'protobuf',
    'torch/': 'torch', 'ATen/': 'torch', 'c10/': 'torch', 'openssl/': 'openssl', 'nlohmann/': 'json',
    'sqlite3.h': 'sqlite', 'hwy/': 'highway', 'spdlog/': 'spdlog', 'prometheus/': 'prometheus',
    'httplib.h': 'httplib', 'zlib.h': 'zlib', 'sndfile.h': 'sndfile', 'kissfft/': 'kissfft',
    'gtest/': 'gtest', 'gmock/': 'gtest', 'benchmark/': 'benchmark',
}

CORE = ['common/base', 'common/tensor', 'common/codec']
SUBSPACE = CORE + ['common/subspace']
UPDATES = ['common/sketch', 'common/update']
ABOVE = SUBSPACE + UPDATES + ['common/wire', 'common/rpc']
EVERYTHING = ['common', 'server', 'client', 'deploy', 'tests']

# Folder: (folders that it may include besides itself, libraries). The longest match counts, subfolders included.
ROOMS = {
    'common/base': ([], ['absl', 'highway', 'openssl']),
    'common/tensor': (['common/base'], ['absl', 'json']),
    'common/codec': (['common/base', 'common/tensor'], ['absl']),
    'common/codec/kernels': (['common/base', 'common/codec'], ['absl', 'highway']),
    'common/subspace': (CORE, ['absl']),
    'common/subspace/kernels': (['common/base', 'common/subspace'], ['absl', 'highway']),
    'common/quantize': (SUBSPACE, ['absl']),
    'common/sketch': (SUBSPACE, ['absl']),
    'common/entropy': (['common/base'], ['absl']),
    'common/rdu': (CORE + ['common/entropy'], ['absl']),
    'common/update': (SUBSPACE + ['common/sketch', 'common/rdu', 'common/quantize'], ['absl']),
    'common/wire': (CORE, ['absl', 'protobuf']),
    'common/rpc': (['common/base'], ['absl', 'grpc', 'openssl']),
    'server/round': (['common/base'], ['absl']),
    'server/aggregate': (SUBSPACE + UPDATES, ['absl']),
    'server/store': (SUBSPACE + ['common/sketch', 'server/round', 'server/aggregate'], ['absl', 'sqlite']),
    'server/config': (CORE + ['common/wire', 'server/round', 'server/aggregate'], ['absl', 'protobuf']),
    'server/http': (['common/base', 'server/round'], ['absl', 'prometheus', 'httplib']),
    'server/service': (ABOVE + ['server/round', 'server/aggregate', 'server/store', 'server/config', 'server/http'],
                       ['absl', 'grpc', 'protobuf', 'spdlog', 'json']),
    'server/daemon': (ABOVE + ['server'], ['absl', 'grpc', 'protobuf', 'spdlog', 'json']),
    'client/session': (SUBSPACE + UPDATES, ['absl']),
    'client/speech': (['common/base', 'common/tensor'], ['absl', 'sndfile', 'kissfft']),
    'client/text': (['common/base'], ['absl', 'json']),
    'client/train': (SUBSPACE + ['client/session', 'client/speech', 'client/text'], ['absl', 'zlib', 'torch']),
    'client/rpc': (ABOVE + ['client/session'], ['absl', 'grpc', 'protobuf']),
    'client/cli': (ABOVE, ['absl', 'grpc', 'protobuf', 'json', 'openssl']),
    'client/daemon': (ABOVE + ['client/session', 'client/train', 'client/speech', 'client/rpc'], ['absl', 'grpc', 'protobuf', 'spdlog']),
    # These stand above server and client and may see both. Torch stays where it is.
    'deploy/simulate': (EVERYTHING, ['absl', 'protobuf', 'json', 'spdlog']),
    'deploy/local': (EVERYTHING, ['absl', 'grpc', 'protobuf', 'json', 'spdlog']),
    # As a project outside of this tree: what thinwire-dev installs.
    'deploy/example_trainer': (CORE + ['client/session', 'client/train', 'client/daemon'], ['absl']),
    'tests': (EVERYTHING, sorted(set(LIBRARIES.values()) - {'torch'})),
    'tests/unit/train': (EVERYTHING, ['absl', 'gtest', 'torch', 'zlib']),
    # Measures LibTorch's own memory.
    'tests/experiments/omc': (EVERYTHING, ['absl', 'json', 'torch']),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def within(path, folder):
  return path.startswith(folder + '/')


def room_of(path):
  return max((room for room in ROOMS if within(path, room)), key=len, default=None)


def library_of(header):
  return next((library for prefix, library in LIBRARIES.items() if header.startswith(prefix)), None)


def includes(text):
  """(line number, header) of each include."""
  for number, line in enumerate(text.splitlines(), 1):
    match = INCLUDE.match(line)
    if match:
      yield number, match.group(1)


def why_not(room, header, torch_headers):
  """Why a file of `room` may not include `header`, or None if it may."""
  folders, libraries = ROOMS[room]
  library = library_of(header)
  if library:
    return None if library in libraries else f'{room} may not use {library}'
  if header in torch_headers and 'torch' not in libraries:
    return f'{header} includes LibTorch, and {room} may not'
  if not any(within(header, top) for top in EVERYTHING):
    return None
  allowed = any(within(header, folder) for folder in [room] + folders)
  return None if allowed else f'{room} may not include {room_of(header) or header}'


def check(files):
  """Problems, as lines of text, in {path: text}."""
  torch_headers = {path for path, text in files.items() if path.endswith('.h') and
                   any(library_of(header) == 'torch' for _, header in includes(text))}
  problems = []
  for path, text in sorted(files.items()):
    room = room_of(path)
    if room is None:
      problems.append(f'{path}: its folder is not in the table of scripts/layers.py')
      continue
    for number, header in includes(text):
      reason = why_not(room, header, torch_headers)
      if reason:
        problems.append(f'{path}:{number}: {reason}')
  return problems


def sources(top):
  files = {}
  for tree in EVERYTHING:
    for folder, _, names in os.walk(os.path.join(top, tree)):
      for name in names:
        if name.endswith(('.h', '.cc')):
          path = os.path.join(folder, name)
          with open(path, encoding='utf-8') as file:
            files[os.path.relpath(path, top)] = file.read()
  return files


def self_test():
  """Includes that must be found, and ones that must pass."""
  cases = [
      ('common/base/a.cc', 'absl/strings/str_cat.h', True), ('common/base/a.cc', 'common/tensor/b.h', False),
      ('common/codec/a.cc', 'hwy/highway.h', False), ('common/codec/kernels/a.cc', 'hwy/highway.h', True),
      ('common/codec/a.cc', 'common/codec/kernels/k.h', True), ('common/codec/a.cc', 'thinwire/v1/plan.pb.h', False),
      ('server/round/a.cc', 'grpcpp/grpcpp.h', False), ('server/service/a.cc', 'client/session/s.h', False),
      ('client/session/a.cc', 'torch/torch.h', False), ('client/train/a.cc', 'torch/torch.h', True),
      ('client/daemon/main.cc', 'client/train/torch_model.h', False), ('client/rpc/a.cc', 'server/store/s.h', False),
      ('client/daemon/main.cc', 'client/train/trainer.h', True), ('deploy/local/a.cc', 'server/config/c.h', True),
      ('server/round/a.cc', 'sys/stat.h', True), ('server/new/a.cc', 'vector', False),
  ]
  for path, header, allowed in cases:
    files = {path: f'#include "{header}"\n', 'client/train/torch_model.h': '#include <torch/torch.h>\n'}
    assert (not check(files)) == allowed, (path, header, check(files))


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--top', default=os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
  top = parser.parse_args().top
  self_test()
  files = sources(top)
  problems = check(files)
  for problem in problems:
    print(problem)
  print(f'==> Layers: {len(files)} files, {len(problems)} wrong includes')
  return 1 if problems or not files else 0


if __name__ == '__main__':
  sys.exit(main())
