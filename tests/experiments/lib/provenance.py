"""Where a page of figures comes from: which programs, which machine."""
import os
import platform
import subprocess

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..', '..'))


def revision():
  """The commit, with '+' if tracked files differ from it, but for results, which are made."""
  git = ['git', '-C', TOP]
  commit = subprocess.run(git + ['rev-parse', '--short', 'HEAD'], capture_output=True, text=True, check=False)
  changed = subprocess.run(git + ['status', '--porcelain', '--untracked-files=no', '--', ':!docs/results'],
                           capture_output=True, text=True, check=False)
  return commit.stdout.strip() + ('+' if changed.stdout.strip() else '')


def machine():
  model = platform.machine()
  with open('/proc/cpuinfo', encoding='utf-8') as file:
    model = next((line.split(':', 1)[1].strip() for line in file if line.startswith('model name')), model)
  return f'{os.cpu_count()} cores of {model}'
