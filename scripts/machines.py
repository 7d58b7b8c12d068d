"""Machines that are none: network namespaces with links between them, and in some of them a systemd booted on an overlay of
this machine's root file system, so that nothing outside of a temporary folder changes. Needs root. Everything made here
goes away with the Machines object, whatever happened in between."""
import os
import shutil
import subprocess
import sys
import tempfile
import time


class CannotRun(Exception):
  """This machine lacks what that takes; says what."""


def call(*command, check=True, **options):
  done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
  if check and done.returncode != 0:
    raise RuntimeError(f'{" ".join(command)}: exit code {done.returncode}: {done.stdout.strip()}')
  return done


def need(*programs):
  """Raises CannotRun unless this is root and the programs are there."""
  if os.geteuid() != 0:
    raise CannotRun('this needs root: it makes network namespaces')
  missing = [program for program in programs if shutil.which(program) is None]
  if missing:
    raise CannotRun(f'not installed: {", ".join(missing)} (scripts/packages.txt has the packages, groups root and net)')


def await_until(condition, seconds, what):
  limit = time.monotonic() + seconds
  while not condition():
    if time.monotonic() > limit:
      raise RuntimeError(f'not within {seconds} s: {what}')
    time.sleep(0.1)


# Mounted in a root that is not booted. Without /sys, glibc's look for the number of processors fails between a connect()
# of gRPC 1.51 and its look at errno, now and then, and the call fails with "No such file or directory".
POINTS = ('/proc', '/dev', '/sys')


class Machine:
  """One network namespace. `name` is for messages."""

  def __init__(self, name, namespace, folder):
    self.name, self.namespace, self.folder = name, namespace, folder
    self.root = os.path.join(folder, 'root')
    self._nspawn = None
    self.inside = ['ip', 'netns', 'exec', namespace]

  def overlay(self):
    """A root file system of its own, at first like this machine's; `run` then works in there."""
    layers = {layer: os.path.join(self.folder, layer) for layer in ('upper', 'work', 'root')}
    for path in layers.values():
      os.makedirs(path)
    try:
      call('mount', '-t', 'overlay', 'overlay', '-o', f'lowerdir=/,upperdir={layers["upper"]},workdir={layers["work"]}',
           self.root)
    except RuntimeError as error:
      raise CannotRun(f'no overlay file system here: {error}') from error
    for point in POINTS:
      call('mount', '--bind', point, self.root + point)
    self.inside = ['ip', 'netns', 'exec', self.namespace, 'chroot', self.root]

  def boot(self):
    """Boots systemd in the overlay, without the services of this machine."""
    for point in POINTS:
      call('umount', self.root + point)
    units = '/etc/systemd/system'
    self.write(f'{units}/machine.target', '[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n')
    link = self.root + units + '/default.target'
    if os.path.lexists(link):
      os.remove(link)
    os.symlink(f'{units}/machine.target', link)
    self.write('/etc/machine-id', os.urandom(16).hex() + '\n')
    with open(os.path.join(self.folder, 'console.log'), 'wb') as console:
      self._nspawn = subprocess.Popen(
          ['systemd-nspawn', '--quiet', f'--directory={self.root}', '--register=no', '--keep-unit', '--link-journal=no',
           '--resolv-conf=off', '--timezone=off', '--console=pipe', '--boot',
           f'--network-namespace-path=/run/netns/{self.namespace}'],
          stdin=subprocess.DEVNULL, stdout=console, stderr=console)

  def await_boot(self):
    def running():
      if self._nspawn.poll() is not None:
        with open(os.path.join(self.folder, 'console.log'), encoding='utf-8', errors='replace') as console:
          raise CannotRun(f'systemd does not boot in {self.name}: {console.read().strip()[-400:]}')
      leader = call('pgrep', '-P', str(self._nspawn.pid), check=False).stdout.split()
      if not leader:
        return False
      self.inside = ['nsenter', '--target', leader[0], '--all']
      return call(*self.inside, 'systemctl', 'is-system-running', check=False).stdout.strip() in ('running', 'degraded')
    await_until(running, 60, f'systemd is up in {self.name}')

  def write(self, path, text):
    """A file in the overlay."""
    os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
    with open(self.root + path, 'w', encoding='utf-8') as file:
      file.write(text)

  def command(self, script, folder='/root'):
    return self.inside + ['/usr/bin/env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'LANG=C.UTF-8',
                          'bash', '-euo', 'pipefail', '-c', f'cd {folder}\n{script}']

  def run(self, script, folder='/root', check=True, timeout=120):
    """Runs a script of bash in here; its output, with `check` also an error if it fails."""
    done = call(*self.command(script, folder), check=False, timeout=timeout)
    if check and done.returncode != 0:
      raise RuntimeError(f'on {self.name}, exit code {done.returncode}:\n{script.strip()}\n{done.stdout.strip()}')
    return done

  def close(self):
    if self._nspawn is not None and self._nspawn.poll() is None:
      self._nspawn.terminate()  # it lets systemd shut down
      try:
        self._nspawn.wait(20)
      except subprocess.TimeoutExpired:
        self._nspawn.kill()
        self._nspawn.wait()
    for point in POINTS + ('',):
      if os.path.ismount(self.root + point):
        call('umount', '--lazy', self.root + point, check=False)
    call('ip', 'netns', 'delete', self.namespace, check=False)


class Machines:
  """A context: all machines, and the folder that they live in."""

  def __init__(self):
    self._machines = []
    self._links = 0
    self.folder = None

  def __enter__(self):
    self.folder = tempfile.mkdtemp(prefix='thinwire-machines.', dir='/var/tmp')
    return self

  def __exit__(self, *_):
    for machine in reversed(self._machines):
      machine.close()
    shutil.rmtree(self.folder, ignore_errors=True)

  def add(self, name):
    namespace = f'tw{os.getpid()}-{len(self._machines)}'
    try:
      call('ip', 'netns', 'add', namespace)
    except RuntimeError as error:
      raise CannotRun(f'no network namespaces here: {error}') from error
    folder = os.path.join(self.folder, name)
    os.mkdir(folder)
    machine = Machine(name, namespace, folder)
    self._machines.append(machine)
    call('ip', '-n', namespace, 'link', 'set', 'lo', 'up')
    return machine

  def link(self, one, its_address, other, others_address):
    """A cable with two ends; the names of the ends' interfaces."""
    self._links += 1
    names = (f'tw{self._links}a', f'tw{self._links}b')
    call('ip', 'link', 'add', names[0], 'netns', one.namespace, 'type', 'veth', 'peer', 'name', names[1], 'netns',
         other.namespace)
    for machine, name, address in ((one, names[0], its_address), (other, names[1], others_address)):
      call('ip', '-n', machine.namespace, 'address', 'add', f'{address}/24', 'dev', name)
      call('ip', '-n', machine.namespace, 'link', 'set', name, 'up')
    return names

  def thin_link(self, one, its_address, other, others_address, rate):
    """A cable that carries no more than `rate`, such as '256kbit', each way; what comes faster waits for at most 400 ms.
    Both machines' TCP is Reno, which every kernel has and which fills such a queue as Debian's default does: BBR, that of
    some machines, sends several times what the queue holds."""
    names = self.link(one, its_address, other, others_address)
    for machine, name in zip((one, other), names):
      call(*machine.inside, 'sysctl', '-q', '-w', 'net.ipv4.tcp_congestion_control=reno')
      call('tc', '-n', machine.namespace, 'qdisc', 'replace', 'dev', name, 'root', 'tbf', 'rate', rate, 'burst', '4kb',
           'latency', '400ms')
    return names


def main(job):
  """Runs `job()`: exit code 0, 1 with what failed, or 77 if this machine cannot run it."""
  try:
    job()
  except CannotRun as reason:
    print(f'skipped: {reason}', file=sys.stderr)
    sys.exit(77)
  except (RuntimeError, subprocess.TimeoutExpired) as error:
    print(f'error: {error}', file=sys.stderr)
    sys.exit(1)
