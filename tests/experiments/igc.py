#!/usr/bin/env python3
"""Intrinsic gradient compression: accuracy against bytes, beside FedSGD, FedAvg, local top-k and FetchSGD.

Simulated federations on SST-2 (--sst2), Shakespeare by role (--shakespeare) and CIFAR-10 (--cifar), each a folder as
docs/text.md and docs/simulate.md have it; what is not given is left out. Each rival and the plain subspace try three
rates with the first seed, and further ones as long as the best is at an end, and run the best with all; variants of the
subspace take its rate. Studies of d, K, E, local steps and bits are made on SST-2, the time of the projection is measured
on CIFAR-10. Each finished run is kept in out/experiments/igc, so that a broken experiment goes on where it stopped.
Tables (markdown, CSV) and plots go to docs/results; tasks that are not given stay there as they are. --quick makes
shorter runs of one seed, in a folder of its own.
"""
import argparse
import os
import subprocess
import sys

from lib import igc_cost, igc_page, igc_tasks
from lib.igc_tasks import Task
from lib.kept_runs import FailedRuns, KeptRuns
from lib.page import Page
from lib.parts import part_of, write_parts
from lib.provenance import TOP

KEPT = os.path.join(TOP, 'out', 'experiments', 'igc')


def parse():
  parser = argparse.ArgumentParser(prog='./run experiment igc', description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
  for name, what in (('sst2', 'train.tsv and dev.tsv of SST-2'), ('shakespeare', 'roles.jsonl'),
                     ('cifar', "CIFAR-10's binary files")):
    parser.add_argument(f'--{name}', metavar='DIR', help=f'folder with {what}')
  parser.add_argument('--seeds', type=int, default=3, help='runs per row, with seeds 1..N (default 3)')
  parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='runs at a time (default: all cores)')
  parser.add_argument('--fresh', action='store_true', help='run all again, also what is kept')
  parser.add_argument('--quick', action='store_true', help='one seed and short runs, in a folder of its own')
  arguments = parser.parse_args()
  if arguments.seeds < 1 or arguments.jobs < 1:
    parser.error('--seeds and --jobs must be at least 1')
  folders = [folder for folder in (arguments.sst2, arguments.shakespeare, arguments.cifar) if folder]
  if not folders:
    parser.error('give at least one of --sst2, --shakespeare and --cifar')
  for folder in folders:
    if not os.path.isdir(folder):
      parser.error(f'there is no folder {folder}')
  return arguments


def tasks(arguments, programs, folder):
  """(task, methods, studies)"""
  everywhere = {'clients-per-round': 10, 'momentum': 0}
  short = {'rounds': 4, 'evaluate-every': 4, 'samples': 2000} if arguments.quick else {}
  result = []
  if arguments.sst2:
    options = {'task': 'text', 'data': arguments.sst2, 'model': 'transformer-xs', 'clients': 40,
               'partition': 'dirichlet:0.3', 'samples': 20000, 'batch': 16, 'rounds': 28, 'evaluate-every': 4, **everywhere,
               **short}
    task = Task('sst2', 'SST-2, labels skewed', options, (0.03, 0.1, 0.3), (3, 10, 30), programs, folder)
    methods = methods_of(task, (2000, 300, 30), (5, 10000), 4096, 8)
    result.append((task, methods, igc_tasks.studies(4096, 8, options, methods)))
  if arguments.shakespeare:
    options = {'task': 'text', 'data': arguments.shakespeare, 'model': 'transformer-xs', 'clients': 100,
               'partition': 'speaker', 'samples': 20000, 'batch': 8, 'rounds': 24, 'evaluate-every': 6,
               'test-samples': 1000, **everywhere, **short}
    task = Task('shakespeare', 'Shakespeare by role, next character', options, (0.3, 1, 3), (5, 15, 50), programs,
                folder)
    result.append((task, methods_of(task, (500, 80, 10), (5, 2000), 1024, 8), {}))
  if arguments.cifar:
    # The narrow ResNet-9 takes four times as long.
    options = {'data': arguments.cifar, 'model': 'cnn', 'clients': 25, 'partition': 'dirichlet:0.3', 'samples': 10000,
               'batch': 20, 'rounds': 40, 'evaluate-every': 10, **everywhere, 'clients-per-round': 5, **short}
    task = Task('cifar', 'CIFAR-10, labels skewed', options, (0.03, 0.1, 0.3), (2, 6, 20), programs, folder)
    result.append((task, methods_of(task, (2000, 300, 30), (5, 8000), 4096, 10), {}))
  if arguments.quick:
    for task, _, _ in result:
      task.rates, task.subspace_rates, task.most_rates = task.rates[1:2], task.subspace_rates[1:2], 1
  return result


def methods_of(task, sparse, sketch, dimension, epoch):
  return igc_tasks.rivals(task.options, sparse, sketch) + igc_tasks.subspaces(dimension, epoch, 4)


def tune(task, methods, kept, jobs):
  """Rows of all rates that are tried, by run name."""
  rows = {}
  while True:
    todo = [run for method in methods if not method.tuned_like
            for rate in igc_tasks.rates_to_try(task, method, rows) for run in [task.run(method, rate, 1)]
            if run.name not in rows]
    if not todo:
      return rows
    rows.update(kept.all(todo, jobs, say))


def run_task(task, methods, studies, kept, seeds, jobs):
  """Rows by run name, and the chosen rate by method and by study's method. A rate that fails with a later seed gives way
  to the next."""
  everything = methods + [one for _, _, its in studies.values() for one in its if one not in methods]
  rows = tune(task, everything, kept, jobs)

  def best():
    return {method.name: igc_tasks.best_rate(task, method, methods, rows, seeds) for method in everything}
  chosen = None
  while chosen != best():
    chosen = best()
    runs = {run.name: run for seed in seeds for method in everything
            for run in [task.run(method, chosen[method.name], seed)]}
    rows.update(kept.all(list(runs.values()), jobs, say))
  return rows, chosen


def say(row):
  return f"accuracy {row['accuracy']:.4f}, loss {row['loss']:.3f}"


def write(page, task, methods, studies, rows, chosen, seeds):
  def of(method):
    its = [rows[task.run(method, chosen[method.name], seed).name] for seed in seeds]
    failed = [row for row in its if 'failed' in row]
    if failed:
      raise FailedRuns(f"{method.name} on {task.label}, rate {chosen[method.name]:g}: {failed[0]['failed']}")
    page.seen(its)
    return its
  tried = {method.name: igc_tasks.rates_to_try(task, method, rows) for method in methods if not method.tuned_like}
  igc_page.method_section(page, task, methods, tried, chosen, {method.name: of(method) for method in methods})
  for name, (title, text, its) in studies.items():
    igc_page.study_section(page, f'{task.name}_{name}', title, text, task, its, {each.name: of(each) for each in its},
                           chosen)


def measure_cost(page, runs, kept):
  """runs: by plan. One at a time, since they are timed."""
  rows = kept.all([run for several in runs.values() for run in several], 1, lambda row: f"{row['cpu_seconds']:.1f} s")
  igc_cost.section(page, {plan: [rows[run.name] for run in several] for plan, several in runs.items()})


def main():
  arguments = parse()
  built = subprocess.run([os.path.join(TOP, 'run'), 'build', 'dev', 'thinwire-simulate'], cwd=TOP, check=False)
  if built.returncode != 0:
    sys.exit(1)
  folder = KEPT + ('-quick' if arguments.quick else '')
  seeds = [1] if arguments.quick else list(range(1, arguments.seeds + 1))
  kept = KeptRuns(os.path.join(folder, 'rows'), arguments.fresh)
  results = folder if arguments.quick else os.path.join(TOP, 'docs', 'results')
  programs = os.path.join(TOP, 'build', 'dev', 'bin')
  made = {}
  for task, methods, studies in tasks(arguments, programs, folder):
    page = Page(results, 'igc')
    rows, chosen = run_task(task, methods, studies, kept, seeds, arguments.jobs)
    write(page, task, methods, studies, rows, chosen, seeds)
    if task.name == 'cifar':
      measure_cost(page, igc_cost.runs(arguments.cifar, programs, os.path.join(folder, 'states'), len(seeds), arguments.quick), kept)
    made[task.name] = part_of(page, task.label, igc_page.federation_of(task))
  path = os.path.join(results, 'igc.md')
  head = igc_page.HEAD % ('./run experiment igc' + (' --quick' if arguments.quick else ''))
  write_parts(path, f'# {igc_page.TITLE}\n\n{head}', made)
  print(f"{', '.join(made)} written to {os.path.relpath(path)}")


if __name__ == '__main__':
  try:
    main()
  except FailedRuns as failure:
    sys.exit(str(failure))
