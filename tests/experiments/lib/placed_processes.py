"""Programs of this tree as processes on the machines of scripts/machines.py."""
import json
import os
import subprocess
import sys

from lib.provenance import TOP

sys.path.insert(0, os.path.join(TOP, 'scripts'))
import machines  # noqa: E402  pylint: disable=wrong-import-position


class PlacedProcesses:
  """They work in `folder`, where each has its log. `close` ends those that run."""

  def __init__(self, programs, folder):
    self.programs, self.folder, self.processes = programs, folder, []

  def start(self, place, name, program, *arguments):
    command = place.inside + [os.path.join(self.programs, program), *arguments]
    with open(os.path.join(self.folder, f'{name}.log'), 'w', encoding='utf-8') as log:
      process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log,
                                 env={**os.environ, 'OPENBLAS_NUM_THREADS': '1', 'OMP_NUM_THREADS': '1'})
    self.processes.append(process)
    return process

  def start_server(self, place, config, *arguments):
    """With `config`, a text; returns when it listens."""
    with open(os.path.join(self.folder, 'server.textproto'), 'w', encoding='utf-8') as file:
      file.write(config)
    self.start(place, 'server', 'thinwire-server', '--config', 'server.textproto', *arguments)

    def listens():
      self.check()
      return 'listening federation' in self.log('server')
    machines.await_until(listens, 30, 'the server listens')

  def log(self, name):
    with open(os.path.join(self.folder, f'{name}.log'), encoding='utf-8', errors='replace') as file:
      return file.read()

  def check(self):
    """RuntimeError if one has failed."""
    for process in self.processes:
      if process.poll() not in (None, 0):
        raise RuntimeError(f"{' '.join(process.args)} ended with {process.returncode}; the server: "
                           f"{self.log('server')[-600:]}")

  def close(self):
    for process in self.processes:
      if process.poll() is None:
        process.terminate()
    for process in self.processes:
      try:
        process.wait(20)
      except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def sent(place, interface):
  """(bytes, packets) that an interface of a machine has sent."""
  links = json.loads(machines.call('ip', '-n', place.namespace, '-s', '-j', 'link', 'show', 'dev', interface).stdout)
  return links[0]['stats64']['tx']['bytes'], links[0]['stats64']['tx']['packets']
