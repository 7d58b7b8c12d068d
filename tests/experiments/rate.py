#!/usr/bin/env python3
"""Update codecs under a budget of bits: error on real updates.

Each folder of --updates holds updates as flat .npy files of float32 and a meta.json whose "shapes" cut them into
tensors. Every codec codes all of them at budgets from 0.001 to 3 bits a parameter; strings are real, with all side
information, and decoded. Each codec's result is kept in out/experiments/rate, so that a broken experiment goes on where
it stopped. Tables (markdown, CSV) and plots go to docs/results. --quick leaves settings out, in a folder of its own.
"""
import argparse
import os
import subprocess
import sys

from lib import rate_curves, rate_page
from lib.kept_runs import FailedRuns, KeptRuns
from lib.page import Page
from lib.provenance import TOP

KEPT = os.path.join(TOP, 'out', 'experiments', 'rate')
PROGRAMS = os.path.join(TOP, 'build', 'dev', 'bin')


def parse():
  parser = argparse.ArgumentParser(prog='./run experiment rate', description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--updates', metavar='DIR', action='append', required=True, help='may be given more than once')
  parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='codecs at a time (default: all cores)')
  parser.add_argument('--fresh', action='store_true', help='measure all again, also what is kept')
  parser.add_argument('--quick', action='store_true', help='one setting of each codec, in a folder of its own')
  arguments = parser.parse_args()
  if arguments.jobs < 1:
    parser.error('--jobs must be at least 1')
  for folder in arguments.updates:
    if not os.path.isfile(os.path.join(folder, 'meta.json')):
      parser.error(f'there is no {folder}/meta.json')
  return arguments


def say(row):
  return f"{row['codec']}, {len(row['updates'])} updates"


def main():
  arguments = parse()
  built = subprocess.run([os.path.join(TOP, 'run'), 'build', 'dev', 'thinwire-update-rates'], cwd=TOP, check=False)
  if built.returncode != 0:
    sys.exit(1)
  codecs = {name: settings[:1] if arguments.quick else settings for name, settings in rate_page.CODECS.items()}
  folder = KEPT + ('-quick' if arguments.quick else '')
  kept = KeptRuns(os.path.join(folder, 'rows'), arguments.fresh)
  page = Page(folder if arguments.quick else os.path.join(TOP, 'docs', 'results'), 'rate')
  for updates in arguments.updates:
    runs = {setting: rate_curves.measuring_run(setting, updates, PROGRAMS)
            for settings in codecs.values() for setting in settings}
    rows = kept.all(list(runs.values()), arguments.jobs, say)
    page.seen(rows.values())
    rate_page.updates_section(page, updates, {name: [rows[runs[setting].name] for setting in settings]
                                              for name, settings in codecs.items()})
  path = page.write('./run experiment rate' + (' --quick' if arguments.quick else ''), rate_page.TITLE, rate_page.TEXT)
  print(f'written to {os.path.relpath(path)}')


if __name__ == '__main__':
  try:
    main()
  except FailedRuns as failure:
    sys.exit(str(failure))
