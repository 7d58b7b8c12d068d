"""A federation of processes on this machine, as a run whose result is kept."""
import json
import os
import shutil
import subprocess

from lib.kept_runs import Run


def local_run(name, settings, programs, folder):
  """`settings` are thinwire-local's options. Its state is in folder/name while it runs; its row is what --json prints."""
  def work():
    out = os.path.join(folder, name)
    shutil.rmtree(out, ignore_errors=True)
    command = [os.path.join(programs, 'thinwire-local'), '--json', f'--out={out}']
    command += [f'--{option}={value}' for option, value in settings.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
      raise RuntimeError(f'thinwire-local ended with code {done.returncode}: {done.stderr.strip()[-600:]}')
    shutil.rmtree(out)
    return json.loads(done.stdout)
  return Run(name, settings, work)
