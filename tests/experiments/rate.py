#!/usr/bin/env python3
"""Update codecs under a budget of bits: error on real updates, accuracy and time in federations.

Five parts. a: each folder of --updates holds updates as flat .npy files of float32 and a meta.json whose "shapes" cut
them into tensors; every codec codes all of them at budgets from 0.001 to 3 bits a parameter; strings are real, with all
side information, and decoded. b: the same for updates of other nets, which are made here: --cifar, --sst2, --an4. c1
and c2: whole simulated federations, accuracy against uplink bits: --cifar, --fashion. d: federations of processes over links of
64, 256 and 1024 kbit/s, time to an accuracy: --fashion; needs root. What is not given or cannot be had is left out, with a
message.

Each result is kept in out/experiments/rate, so that a broken experiment goes on where it stopped. Tables (markdown, CSV)
and plots go to docs/results; parts that are not made now stay there as they are. --quick makes all smaller, in a folder
of its own.
"""
import argparse
import dataclasses
import os
import subprocess
import sys

from lib import (rate_accuracy, rate_accuracy_page, rate_curves, rate_link, rate_link_page, rate_nets, rate_page,
                 rate_settings)
from lib.kept_runs import FailedRuns, KeptRuns
from lib.page import Page
from lib.parts import Skipped, part_of, write_parts
from lib.provenance import TOP

KEPT = os.path.join(TOP, 'out', 'experiments', 'rate')
PROGRAMS = os.path.join(TOP, 'build', 'dev', 'bin')
FASHION = '/usr/share/datasets/fashion-mnist'  # where thinwire-simulate looks


@dataclasses.dataclass
class Job:
  """What all parts work with."""
  arguments: argparse.Namespace
  folder: str
  kept: KeptRuns
  seeds: list


def parse():
  parser = argparse.ArgumentParser(prog='./run experiment rate', description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--parts', default='a,b,c1,c2,d', help='which to make (default a,b,c1,c2,d)')
  parser.add_argument('--updates', metavar='DIR', action='append', default=[], help='part a; may be given more than once')
  parser.add_argument('--cifar', metavar='DIR', help="parts b and c1: CIFAR-10's binary files")
  parser.add_argument('--sst2', metavar='DIR', help='part b: train.tsv and dev.tsv of SST-2')
  parser.add_argument('--an4', metavar='DIR', help='part b: index.tsv and recordings of AN4')
  parser.add_argument('--fashion', metavar='DIR', default=FASHION,
                      help=f'parts c2 and d: Fashion-MNIST (default {FASHION})')
  parser.add_argument('--seeds', type=int, default=3, help='parts c1 and c2: runs per row, with seeds 1..N (default 3)')
  parser.add_argument('--limit', type=float, default=20, metavar='MIN', help='part d: most minutes of a run (default 20)')
  parser.add_argument('--jobs', type=int, default=os.cpu_count(),
                      help='runs at a time, except in part d (default: all cores)')
  parser.add_argument('--fresh', action='store_true', help='measure all again, also what is kept')
  parser.add_argument('--quick', action='store_true', help='few settings and short runs, in a folder of its own')
  arguments = parser.parse_args()
  arguments.parts = arguments.parts.split(',')
  if set(arguments.parts) - set(PARTS):
    parser.error(f"--parts is {','.join(arguments.parts)}; there are {', '.join(PARTS)}")
  if arguments.jobs < 1 or arguments.seeds < 1 or arguments.limit <= 0:
    parser.error('--jobs and --seeds must be at least 1, --limit above 0')
  for folder in arguments.updates:
    if not os.path.isfile(os.path.join(folder, 'meta.json')):
      parser.error(f'there is no {folder}/meta.json')
  for folder in (arguments.cifar, arguments.sst2, arguments.an4):
    if folder and not os.path.isdir(folder):
      parser.error(f'there is no folder {folder}')
  return arguments


def codecs(quick):
  return {name: settings[:1] if quick else settings for name, settings in rate_page.CODECS.items()}


def measured_section(job, page, folder, made=None):
  """Every codec on the updates of a folder; `made`: settings of the run that made it, if one did."""
  budgets = rate_curves.BUDGETS[5::2] if job.arguments.quick else rate_curves.BUDGETS
  runs = {setting: rate_curves.measuring_run(setting, folder, PROGRAMS, budgets, made)
          for settings in codecs(job.arguments.quick).values() for setting in settings}
  rows = job.kept.all(list(runs.values()), job.arguments.jobs,
                      lambda row: f"{row['codec']}, {len(row['updates'])} updates")
  page.seen(rows.values())
  rate_page.updates_section(page, folder, {name: [rows[runs[setting].name] for setting in settings]
                                           for name, settings in codecs(job.arguments.quick).items()})


def part_a(job, page):
  if not job.arguments.updates:
    raise Skipped('no --updates DIR is given')
  for folder in job.arguments.updates:
    measured_section(job, page, folder)
  return rate_page.UPDATES_TITLE, rate_page.UPDATES_TEXT


def part_b(job, page):
  given = {source: getattr(job.arguments, source) for source in ('cifar', 'sst2', 'an4')}
  nets = [net for net in rate_nets.NETS if given[net.source]]
  for net in rate_nets.NETS:
    if net not in nets:
      print(f'part b without {net.label}: no --{net.source} DIR is given', flush=True)
  if not nets:
    raise Skipped('none of --cifar, --sst2 and --an4 is given')
  made = rate_nets.make(nets, given, job.kept, PROGRAMS, os.path.join(job.folder, 'updates'), job.arguments.jobs,
                        job.arguments.quick)
  rows = {name: row for name, (_, row) in made.items()}
  page.seen(rows.values())
  rate_page.nets_table(page, nets, rows, rate_nets.rounds_of(job.arguments.quick))
  for folder, row in made.values():
    measured_section(job, page, folder, row['settings'])
  return rate_page.NETS_TITLE, rate_page.NETS_TEXT


def fashion(job):
  return job.arguments.fashion if os.path.isdir(job.arguments.fashion) else None


def accuracy_part(part, source, data):
  """What makes a part: whole federations of one setting."""
  def make(job, page):
    folder = data(job)
    if not folder:
      raise Skipped(f'there is no folder for --{source}')
    setting = rate_settings.setting_of(part, folder, PROGRAMS, job.folder, job.arguments.quick)
    lines, rate, measured, rows = rate_accuracy.run_setting(setting, job.kept, job.arguments.jobs, job.seeds)
    page.seen(rows)
    rate_accuracy_page.setting_section(page, setting, lines, rate, measured.parameters, job.seeds)
    return f'{rate_accuracy_page.TITLE}: {setting.label}', rate_accuracy_page.TEXTS[part]
  return make


def part_d(job, page):
  if fashion(job) is None:
    raise Skipped(f'there is no folder {job.arguments.fashion}: give --fashion DIR')
  try:
    rate_link.machines.need(*rate_link.PROGRAMS)
    settings = rate_link.options(fashion(job), 60 * job.arguments.limit, job.arguments.quick)
    runs = {(kbits, plan): rate_link.linked_run(plan, kbits, settings, PROGRAMS)
            for kbits in (rate_link.RATES[-1:] if job.arguments.quick else rate_link.RATES) for plan in rate_link.PLANS}
    rows = job.kept.all(list(runs.values()), 1,
                        lambda row: f"{len(row['published']) - 1} rounds in {row['seconds']:.0f} s")
  except rate_link.machines.CannotRun as reason:
    raise Skipped(str(reason)) from reason
  page.seen(rows.values())
  rate_link_page.section(page, {key: rows[run.name] for key, run in runs.items()}, settings)
  return rate_link_page.TITLE, rate_link_page.TEXT


PARTS = {'a': part_a, 'b': part_b, 'c1': accuracy_part('c1', 'cifar', lambda job: job.arguments.cifar),
         'c2': accuracy_part('c2', 'fashion', fashion), 'd': part_d}


def main():
  arguments = parse()
  programs = ['thinwire-update-rates', 'thinwire-simulate', 'thinwire-server', 'thinwire-client']
  if subprocess.run([os.path.join(TOP, 'run'), 'build', 'dev', *programs], cwd=TOP, check=False).returncode != 0:
    sys.exit(1)
  folder = KEPT + ('-quick' if arguments.quick else '')
  results = folder if arguments.quick else os.path.join(TOP, 'docs', 'results')
  job = Job(arguments, folder, KeptRuns(os.path.join(folder, 'rows'), arguments.fresh),
            [1] if arguments.quick else list(range(1, arguments.seeds + 1)))
  made, failures = {}, []
  for letter in sorted(set(arguments.parts)):
    page = Page(results, 'rate')
    print(f'part {letter}', flush=True)
    try:
      title, text = PARTS[letter](job, page)
      made[letter] = part_of(page, title, text)
    except Skipped as reason:
      print(f'part {letter} is skipped: {reason}', flush=True)
    except FailedRuns as failure:
      failures.append(str(failure))
  path = os.path.join(results, 'rate.md')
  head = f"# {rate_page.TITLE}\n\n" + rate_page.HEAD % ('./run experiment rate' + (' --quick' if arguments.quick else ''))
  if made:
    write_parts(path, head, made)
    print(f"parts {', '.join(made)} written to {os.path.relpath(path)}")
  if failures:
    sys.exit('\n'.join(failures))


if __name__ == '__main__':
  main()
