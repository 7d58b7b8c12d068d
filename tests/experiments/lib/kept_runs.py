"""Runs of an experiment whose results are kept, so that one that was broken off goes on where it stopped."""
import json
import os
import threading
import time
from concurrent import futures

from lib.provenance import revision


def file_name(text):
  """A codec's text, or another, as part of a file's name."""
  return text.translate(str.maketrans(':/+', '__-'))


class Run:
  """`work` is called without arguments for a dict of results. `settings` is all that they depend on, apart from the
  programs: a kept row with other settings does not count."""

  def __init__(self, name, settings, work):
    self.name, self.settings, self.work = name, settings, work


class FailedRuns(Exception):
  """Some runs failed; those that did not are kept."""


class KeptRuns:
  """A folder with a JSON file for each finished run; with `fresh`, what was there before does not count."""

  def __init__(self, folder, fresh=False):
    self.folder, self.fresh, self.made = folder, fresh, set()
    os.makedirs(folder, exist_ok=True)

  def _path(self, run):
    return os.path.join(self.folder, run.name + '.json')

  def find(self, run):
    """The kept row, or None."""
    if (self.fresh and run.name not in self.made) or not os.path.exists(self._path(run)):
      return None
    with open(self._path(run), encoding='utf-8') as file:
      row = json.load(file)
    return row if row.get('settings') == run.settings else None

  def forget(self, run):
    """It will be run again, whatever is kept of it."""
    if os.path.exists(self._path(run)):
      os.remove(self._path(run))

  def _keep(self, run, row):
    row = dict(row, settings=run.settings, revision=revision())
    with open(self._path(run) + '.new', 'w', encoding='utf-8') as file:
      json.dump(row, file, indent=1)
    os.replace(self._path(run) + '.new', self._path(run))
    self.made.add(run.name)
    return row

  def all(self, runs, jobs=1, say=lambda row: ''):
    """Rows by name. Runs what is not kept, `jobs` at a time, and prints progress with what `say` makes of each row.
    FailedRuns, naming them, after all others have been run."""
    rows = {run.name: row for run in runs if (row := self.find(run)) is not None}
    todo = [run for run in runs if run.name not in rows]
    print(f'{len(runs)} runs: {len(rows)} kept, {len(todo)} to do, {jobs} at a time', flush=True)
    failures, lock, start = [], threading.Lock(), time.monotonic()

    def one(run):
      try:
        row = self._keep(run, run.work())
      except (OSError, RuntimeError, ValueError) as error:
        with lock:
          failures.append(f'{run.name}: {error}')
          print(f'  {run.name} FAILED: {error}', flush=True)
        return
      with lock:
        rows[run.name] = row
        done = len(rows) - (len(runs) - len(todo))
        left = (time.monotonic() - start) / done * (len(todo) - done)
        print(f'  {done}/{len(todo)} {run.name}: {say(row)}; about {left / 60:.0f} min left', flush=True)

    with futures.ThreadPoolExecutor(max_workers=jobs) as pool:
      list(pool.map(one, todo))
    if failures:
      raise FailedRuns(f'{len(failures)} of {len(runs)} runs failed; start again to go on\n  ' + '\n  '.join(failures))
    return rows
