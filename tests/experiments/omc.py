#!/usr/bin/env python3
"""Online model compression: error rates, memory and bytes of small floats, on speech and on images, over seeds.

Six parts. speech, small and ablation: simulated federations on CMU AN4 (--data, an index of recordings) that all start
from one FP32 checkpoint, trained here on three quarters of the speakers: the paper's formats and smaller ones, clients by
speaker and shuffled; 6 bits with all tensors coded; what each part of the method does. images: Fashion-MNIST and CIFAR-10
(--cifar, a folder with its binary files) from scratch, server and clients as processes. processes: a short federation on
AN4 over gRPC and simulated, which leave the same model.

Each finished run is kept in out/experiments/omc, so that a broken experiment goes on where it stopped. Tables (markdown,
CSV) and plots go to docs/results; parts that are not made now stay there as they are. The federations on speech take 89
minutes of processor time, Fashion-MNIST 11 minutes of two cores, CIFAR-10 67 minutes of processor time. --quick makes
shorter runs of one seed, in a folder of its own.
"""
import argparse
import dataclasses
import os
import subprocess
import sys

from lib import omc_images, omc_page, omc_processes, omc_speech
from lib.kept_runs import FailedRuns, KeptRuns
from lib.omc_images import Images
from lib.omc_speech import Speech
from lib.page import Page
from lib.parts import part_of, write_parts
from lib.provenance import TOP

KEPT = os.path.join(TOP, 'out', 'experiments', 'omc')
BIN = os.path.join(TOP, 'build', 'dev', 'bin')
PROGRAMS = ['thinwire-simulate', 'thinwire-train-speech', 'thinwire-omc-memory', 'thinwire-local', 'thinwire-server',
            'thinwire-client', 'thinwire-client-torch', 'thinwire']


@dataclasses.dataclass
class Job:
  """What all parts work with."""
  arguments: argparse.Namespace
  folder: str
  results: str
  kept: KeptRuns
  speech: Speech
  seeds: list

  def page(self):
    return Page(self.results, 'omc')

  def run(self, runs, jobs=1):
    return self.kept.all(runs, jobs, say)


def parse(words=None):
  parser = argparse.ArgumentParser(prog='./run experiment omc', description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--data', metavar='FILE', required=True, help="index of AN4's recordings (docs/speech.md)")
  parser.add_argument('--cifar', metavar='DIR', help='folder of CIFAR-10; without it, images are Fashion-MNIST only')
  parser.add_argument('--part', choices=list(PARTS), action='append', help='only this; may be given more than once')
  parser.add_argument('--more', action='store_true', help='S1E5M10 and S1E3M9 too')
  parser.add_argument('--seeds', type=int, default=3, help='runs per row, with seeds 1..N (default 3)')
  parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='runs at a time (default: all cores)')
  parser.add_argument('--fresh', action='store_true', help='run all again, also what is kept')
  parser.add_argument('--quick', action='store_true', help='one seed and short runs, in a folder of its own')
  arguments = parser.parse_args(words)
  if arguments.seeds < 1 or arguments.jobs < 1:
    parser.error('--seeds and --jobs must be at least 1')
  if not os.path.isfile(arguments.data):
    parser.error(f'--data: there is no file {arguments.data}; it is the index of recordings, see docs/speech.md')
  if arguments.cifar and not os.path.isdir(arguments.cifar):
    parser.error(f'--cifar: there is no folder {arguments.cifar}')
  return arguments


def formats_rows(job, formats):
  """Rows by run name of the checkpoint, of memory and of all federations with these formats."""
  its = job.speech
  # Memory alone on the machine: its steps are timed.
  rows = {**job.run([its.checkpoint()]), **job.run([its.memory(codec) for _, codec in formats])}
  federations = [its.run(codec, partition, seed)
                 for seed in job.seeds for partition, _ in omc_speech.PARTITIONS for _, codec in formats]
  return {**rows, **job.run(federations, job.arguments.jobs)}


def speech(job):
  formats = omc_speech.PAPER + (omc_speech.ON_REQUEST if job.arguments.more else []) + omc_speech.BEYOND
  page = job.page()
  return {'speech': part_of(page, *omc_page.speech(page, job.speech, formats_rows(job, formats), job.seeds, formats))}


def small(job):
  formats, page = omc_speech.SMALL, job.page()
  return {'small': part_of(page, *omc_page.small(page, job.speech, formats_rows(job, formats), job.seeds, formats))}


def ablation(job):
  its = job.speech
  runs = [its.run('fp32', 'iid', seed) for seed in job.seeds]
  runs += [its.run(codec, 'iid', seed, weights) for seed in job.seeds for _, codec, weights in omc_speech.ABLATION]
  rows = {**job.run([its.checkpoint()]), **job.run(runs, job.arguments.jobs)}
  page = job.page()
  return {'ablation': part_of(page, *omc_page.ablation(page, its, rows, job.seeds))}


def pictures(job):
  """Fashion-MNIST, and CIFAR-10 where there is one."""
  short = {'rounds': 1, 'samples': 1000} if job.arguments.quick else {}
  sets = [Images('Fashion-MNIST', 'fashion', {'model': 'cnn', 'clients': 10, 'samples': 20000, 'rounds': 10, **short},
                 BIN, job.folder)]
  if job.arguments.cifar:
    options = {'data': job.arguments.cifar, 'model': 'cifar-cnn', 'clients': 5, 'samples': 10000, 'rounds': 7, **short}
    sets.append(Images('CIFAR-10', 'cifar', options, BIN, job.folder))
  return sets


def images(job):
  """A part of the page for each data set. One run at a time, since its processes take all cores."""
  made = {}
  for its in pictures(job):
    rows = job.run([its.run(codec, seed) for seed in job.seeds for _, codec in omc_images.FORMATS])
    page = job.page()
    made[its.name] = part_of(page, *omc_page.images(page, its, rows, job.seeds))
  return made


def processes(job):
  its = job.speech
  rows = {**job.run([its.checkpoint()]), **job.run([omc_processes.simulated(its), omc_processes.processes(its)])}
  page = job.page()
  return {'processes': part_of(page, *omc_page.processes(page, its, rows))}


PARTS = {'speech': speech, 'small': small, 'ablation': ablation, 'images': images, 'processes': processes}


def say(row):
  """What progress says of a finished run."""
  if 'wer' in row:
    return f"WER {row['wer']:.3f}"
  if 'sha256' in row:
    return f"model {row['sha256'][:12]}"
  return f"accuracy {row['accuracy']:.4f}" if 'accuracy' in row else f"{row['step_seconds']:.2f} s a step"


def make(job, parts):
  """Texts by part of the page, and what failed."""
  made, failures = {}, []
  for name in parts:
    print(f'part {name}', flush=True)
    try:
      made.update(PARTS[name](job))
    except FailedRuns as failure:
      failures.append(str(failure))
  return made, failures


def main():
  arguments = parse()
  if subprocess.run([os.path.join(TOP, 'run'), 'build', 'dev', *PROGRAMS], cwd=TOP, check=False).returncode != 0:
    sys.exit(1)
  folder = KEPT + ('-quick' if arguments.quick else '')
  results = folder if arguments.quick else os.path.join(TOP, 'docs', 'results')
  job = Job(arguments, folder, results, KeptRuns(os.path.join(folder, 'rows'), arguments.fresh),
            Speech(arguments.data, BIN, folder, arguments.quick),
            [1] if arguments.quick else list(range(1, arguments.seeds + 1)))
  made, failures = make(job, arguments.part or PARTS)
  if made:
    path = os.path.join(results, 'omc.md')
    write_parts(path, omc_page.head(' --quick' if arguments.quick else ''), made, omc_page.ORDER)
    print(f"{', '.join(made)} written to {os.path.relpath(path)}")
  if failures:
    sys.exit('\n'.join(failures))


if __name__ == '__main__':
  main()
