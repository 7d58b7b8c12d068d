#!/usr/bin/env python3
"""Installs the component `dev` of a build folder into an empty prefix and does what docs/extend.md says with it: builds
the example project against it, runs a federation of its clients, and looks at the loss."""
import argparse
import glob
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
sys.path.insert(0, os.path.join(TOP, 'scripts'))
import doc_blocks  # noqa: E402  pylint: disable=wrong-import-position

PAGE = os.path.join(TOP, 'docs', 'extend.md')
EXAMPLE = os.path.join(TOP, 'deploy', 'example_trainer')
BUILD = ''


def free_ports(count):
  """Below the range that the kernel hands out to others' connections meanwhile."""
  ports = []
  while len(ports) < count:
    port = random.randrange(20000, 32000)
    with socket.socket() as probe:
      if port not in ports and probe.connect_ex(('127.0.0.1', port)) != 0:
        ports.append(port)
  return ports


def read(path):
  with open(path, encoding='utf-8') as file:
    return file.read()


class OutsideProjectTest(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.folder = tempfile.mkdtemp(prefix='thinwire-outside.')
    cls.addClassCleanup(shutil.rmtree, cls.folder)
    cls.prefix = os.path.join(cls.folder, 'prefix')
    subprocess.run(['cmake', '--install', BUILD, '--component', 'dev', '--prefix', cls.prefix], check=True,
                   stdout=subprocess.DEVNULL)
    cls.blocks = doc_blocks.blocks(PAGE)

  def environment(self):
    environment = dict(os.environ, CMAKE_PREFIX_PATH=self.prefix,
                       PATH=os.path.join(BUILD, 'bin') + ':' + os.environ['PATH'])
    sanitize = environment.pop('SANITIZE', '')
    if sanitize:
      environment['CXXFLAGS'] = environment['LDFLAGS'] = f'-fsanitize={sanitize}'
    return environment

  def shell(self, script, folder):
    """The output of a script that must succeed, with all that it leaves in the background ended."""
    process = subprocess.Popen(['bash', '-euo', 'pipefail', '-c', script + '\nwait\n'], cwd=folder, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment(),
                               start_new_session=True)
    try:
      output = process.communicate(timeout=200)[0]
    except subprocess.TimeoutExpired:
      os.killpg(process.pid, signal.SIGKILL)  # a client without a server waits for ever
      self.fail('not within 200 s:\n' + process.communicate()[0])
    self.assertEqual(process.returncode, 0, output)
    return output

  def test_code_on_the_page_is_the_example_s(self):
    sources = {language: [read(path) for path in glob.glob(os.path.join(EXAMPLE, pattern))]
               for language, pattern in (('cpp', '*.cc'), ('cmake', 'CMakeLists.txt'))}
    excerpts = [block for block in self.blocks if block.language in sources]
    self.assertGreater(len(excerpts), 4)
    for block in excerpts:
      self.assertTrue(any(block.text in source for source in sources[block.language]),
                      f'{PAGE}:{block.line}: the example has no such lines')

  def test_installed_headers_need_nothing_that_is_not_installed(self):
    root = os.path.join(self.prefix, 'include', 'thinwire')
    headers = [os.path.relpath(path, root) for path in glob.glob(root + '/**/*.h', recursive=True)]
    self.assertIn('client/session/trainer.h', headers)
    everything = os.path.join(self.folder, 'everything.cc')
    with open(everything, 'w', encoding='utf-8') as file:
      file.writelines(f'#include "{header}"\n' for header in sorted(headers))
    subprocess.run([os.environ.get('CXX', 'c++'), '-std=c++17', '-fsyntax-only', '-I', root, everything], check=True)

  def test_the_example_builds_and_its_clients_learn(self):
    steps = doc_blocks.one(self.blocks, 'sh', 'cmake --build build').text
    self.assertTrue(steps.startswith('apt-get install ./thinwire-dev_'), steps)
    steps = steps.split('\n', 1)[1].replace('/usr/share', self.prefix + '/share')
    self.shell(steps, self.folder)
    cars = os.path.join(self.folder, 'cars')
    self.assertIn('With --task cars:\n  --data FILE', self.shell('build/cars-client --help', cars))

    ports = dict(zip(('9480', '9481', '9482'), map(str, free_ports(3))))
    def move(text):
      return re.sub(r'127\.0\.0\.1:(948[012])', lambda match: '127.0.0.1:' + ports[match.group(1)], text)
    config = os.path.join(cars, 'cars.textproto')
    moved = move(read(config))
    with open(config, 'w', encoding='utf-8') as file:
      file.write(moved)
    output = self.shell(move(doc_blocks.one(self.blocks, 'sh', 'thinwire-server --config').text), cars)

    rows = [line.split() for line in output.splitlines() if re.match(r' *\d+ PUBLISHED ', line)]
    self.assertEqual(len(rows), 12, output)
    losses = [float(row[6]) for row in rows]
    said = re.search(r'The loss falls from (\d+) to (\d+) in 12 rounds', read(PAGE))
    self.assertEqual(round(losses[0]), int(said.group(1)), output)
    self.assertEqual(round(losses[-1]), int(said.group(2)), output)
    self.assertEqual(output.count('delivered=12 failed=0'), 2, output)
    self.assertGreater(os.path.getsize(os.path.join(cars, 'cars.safetensors')), 12)


if __name__ == '__main__':
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--build', required=True, help='a build folder with programs and libraries')
  BUILD = os.path.abspath(parser.parse_args().build)
  unittest.main(argv=sys.argv[:1], verbosity=2)
