#!/usr/bin/env python3
"""Online model compression: error rates, memory and bytes of small floats, on speech and on images, over seeds.

Speech: federations on CMU AN4 (--data, an index of recordings) that all start from one FP32 checkpoint, trained here on
three quarters of the speakers: the paper's formats and smaller ones, clients by speaker and shuffled, and what each part
of the method does. Images: Fashion-MNIST and CIFAR-10 (--cifar, a folder with its binary files) from scratch, server and
clients as processes. Each finished run is kept in out/experiments/omc, so that a broken experiment goes on where it
stopped. Tables (markdown, CSV) and plots go to docs/results. The federations on speech take 89 minutes of
processor time, Fashion-MNIST 11 minutes of two cores, CIFAR-10 67 minutes of processor time. --quick makes shorter
runs of one seed, in a folder of its own.
"""
import argparse
import os
import subprocess
import sys

from lib import omc_images, omc_page, omc_speech
from lib.kept_runs import FailedRuns, KeptRuns
from lib.omc_images import Images
from lib.omc_speech import Speech
from lib.page import Page
from lib.provenance import TOP

KEPT = os.path.join(TOP, 'out', 'experiments', 'omc')
PROGRAMS = ['thinwire-simulate', 'thinwire-train-speech', 'thinwire-omc-memory', 'thinwire-local']


def parse():
  parser = argparse.ArgumentParser(prog='./run experiment omc', description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--data', metavar='FILE', required=True, help="index of AN4's recordings (docs/speech.md)")
  parser.add_argument('--cifar', metavar='DIR', help='folder of CIFAR-10; without it, images are Fashion-MNIST only')
  parser.add_argument('--part', choices=['speech', 'ablation', 'images'], action='append',
                      help='only this; may be given more than once (the page shows what is kept of the others)')
  parser.add_argument('--more', action='store_true', help='S1E5M10 and S1E3M9 too')
  parser.add_argument('--seeds', type=int, default=3, help='runs per row, with seeds 1..N (default 3)')
  parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='runs at a time (default: all cores)')
  parser.add_argument('--fresh', action='store_true', help='run all again, also what is kept')
  parser.add_argument('--quick', action='store_true', help='one seed and short runs, in a folder of its own')
  arguments = parser.parse_args()
  if arguments.seeds < 1 or arguments.jobs < 1:
    parser.error('--seeds and --jobs must be at least 1')
  if not os.path.isfile(arguments.data):
    parser.error(f'--data: there is no file {arguments.data}; it is the index of recordings, see docs/speech.md')
  return arguments


def build():
  if subprocess.run([os.path.join(TOP, 'run'), 'build', 'dev', *PROGRAMS], cwd=TOP, check=False).returncode != 0:
    sys.exit(1)


def formats_of(arguments):
  return omc_speech.PAPER + (omc_speech.ON_REQUEST if arguments.more else []) + omc_speech.BEYOND


def speech_runs(job, formats, seeds):
  return [job.run(codec, partition, seed)
          for seed in seeds for partition, _ in omc_speech.PARTITIONS for _, codec in formats]


def ablation_runs(job, seeds):
  return [job.run(codec, 'iid', seed, weights) for seed in seeds for _, codec, weights in omc_speech.ABLATION]


def image_jobs(arguments, programs, folder):
  """Fashion-MNIST, and CIFAR-10 where there is one."""
  short = {'rounds': 1, 'samples': 1000} if arguments.quick else {}
  jobs = [Images('Fashion-MNIST', 'fashion', {'model': 'cnn', 'clients': 10, 'samples': 20000, 'rounds': 10, **short},
                 programs, folder)]
  if arguments.cifar:
    options = {'data': arguments.cifar, 'model': 'cifar-cnn', 'clients': 5, 'samples': 10000, 'rounds': 7, **short}
    jobs.append(Images('CIFAR-10', 'cifar', options, programs, folder))
  return jobs


def say(row):
  """What progress says of a finished run."""
  if 'wer' in row:
    return f"WER {row['wer']:.3f}"
  return f"accuracy {row['accuracy']:.4f}" if 'accuracy' in row else f"{row['step_seconds']:.2f} s a step"


def wanted(arguments, part):
  return not arguments.part or part in arguments.part


def main():
  arguments = parse()
  build()
  folder = KEPT + ('-quick' if arguments.quick else '')
  programs = os.path.join(TOP, 'build', 'dev', 'bin')
  seeds = [1] if arguments.quick else list(range(1, arguments.seeds + 1))
  kept = KeptRuns(os.path.join(folder, 'rows'), arguments.fresh)
  job = Speech(arguments.data, programs, folder, arguments.quick)
  formats = formats_of(arguments)
  speech, ablation = speech_runs(job, formats, seeds), ablation_runs(job, seeds)
  references = [job.run('fp32', 'iid', seed) for seed in seeds]
  memory = [job.memory(codec) for _, codec in formats]
  pictures = image_jobs(arguments, programs, folder)
  images = [each.run(codec, seed) for each in pictures for seed in seeds for _, codec in omc_images.FORMATS]
  # Memory alone on the machine, then what needs the checkpoint, then processes, which take all cores.
  stages = [('speech', [job.checkpoint()], 1), ('speech', memory, 1), ('speech', speech, arguments.jobs),
            ('ablation', [job.checkpoint()], 1), ('ablation', references + ablation, arguments.jobs),
            ('images', images, 1)]
  rows = {}
  for part, runs, jobs in stages:
    if wanted(arguments, part):
      rows.update(kept.all(runs, jobs, say))
    else:
      rows.update({run.name: row for run in runs if (row := kept.find(run)) is not None})
  write(arguments, folder, rows, job, pictures, seeds, {'speech': speech + memory, 'ablation': references + ablation,
                                                       'images': images})


def write(arguments, folder, rows, job, pictures, seeds, needed):
  page = Page(folder if arguments.quick else os.path.join(TOP, 'docs', 'results'), 'omc')
  there = {part: all(run.name in rows for run in runs) for part, runs in needed.items()}
  if there['speech']:
    omc_page.speech(page, job, rows, seeds, formats_of(arguments))
  if there['ablation']:
    omc_page.ablation(page, job, rows, seeds)
  if there['images']:
    omc_page.images(page, pictures, rows, seeds)
  path = page.write('./run experiment omc' + (' --quick' if arguments.quick else ''), omc_page.TITLE, omc_page.TEXT)
  for part in (part for part in there if not there[part]):
    print(f'{part}: not all runs are there yet, so the page has no such section')
  print(f'written to {os.path.relpath(path)}')


if __name__ == '__main__':
  try:
    main()
  except FailedRuns as failure:
    sys.exit(str(failure))
