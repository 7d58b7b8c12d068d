#!/usr/bin/env python3
"""One client's memory in training a Conformer: weights in full, packed, packed with checkpoints.

Runs thinwire-omc-memory, each way in a process of its own, and puts the table into docs/results/omc_memory.md and
omc_memory.csv. Takes about five minutes; only the seconds depend on what else the machine does.
"""
import argparse
import json
import os
import subprocess
import sys

from lib.figures import markdown, write_csv
from lib.provenance import TOP, machine, revision

FOLDER = os.path.join(TOP, 'docs', 'results')
PROGRAM = os.path.join(TOP, 'build', 'dev', 'bin', 'thinwire-omc-memory')
OMC = '+weights+partial=0.1'

SHORT = 8  # frames of the recording whose activations are next to nothing

# Name, codec of packed weights ('' for full weights), checkpoints, momentum.
WAYS = [
    ('full weights', '', False, 0),
    ('full weights, checkpoints', '', True, 0),
    ('S1E3M7, 1 in 10 exact', 's1e3m7:pow2/4096' + OMC, False, 0),
    ('S1E3M7, 1 in 10 exact, checkpoints', 's1e3m7:pow2/4096' + OMC, True, 0),
    ('S1E3M4, a scale for 64', 's1e3m4:pow2/64+weights', False, 0),
    ('S1E2M3, a scale for 64', 's1e2m3:pow2/64+weights', False, 0),
    ('full weights, momentum', '', False, 0.9),
    ('S1E3M7, 1 in 10 exact, momentum', 's1e3m7:pow2/4096' + OMC, False, 0.9),
]
HEAD = ['weights', 'weights MB', 'of FP32', 'momentum MB', 'gradients after backward MB',
        'peak of weights and gradients / FP32', 'activations MB', 'peak tensors MB', 'peak resident MB', 's/step', 'speed',
        'coding']


def measure(way, options, batch, frames, steps):
  """What one process says of itself."""
  _, codec, checkpoint, momentum = way
  command = [PROGRAM, '--model', options.model, '--batch', str(batch), '--frames', str(frames), '--steps', str(steps)]
  command += ['--weights', 'packed', '--codec', codec] if codec else ['--weights', 'full']
  command += (['--checkpoint'] if checkpoint else []) + ['--momentum', str(momentum)]
  done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, 'OPENBLAS_NUM_THREADS': '1'})
  if done.returncode != 0:
    sys.exit(f'{" ".join(command)} failed: {done.stderr.strip()}')
  return json.loads(done.stdout)


def row(name, result, short, full):
  fp32 = 4 * result['parameters']
  mb = lambda value: f'{value / 1e6:.0f}'
  codec = f"{100 * result['codec_seconds'] / result['step_seconds']:.1f} %" if result['codec'] else '-'
  return [name, mb(result['weights']), f"{100 * result['weights'] / fp32:.1f} %", mb(result['momentum']),
          mb(result['gradients_after_backward']), f"{short['peak_tensors'] / fp32:.2f}",
          mb(result['activations_after_forward']), mb(result['peak_tensors']), mb(result['peak_resident']),
          f"{result['step_seconds']:.2f}", f"{full['step_seconds'] / result['step_seconds']:.2f}", codec]


def page(options, rows, parameters, activations):
  return f'''# One client's memory

Made by `./run experiment omc-memory` at {revision()} on {machine()}, one thread.

{options.model}, {parameters / 1e6:.1f} million parameters ({4 * parameters / 1e6:.0f} MB in FP32), steps of {options.batch} recordings of
{options.frames / 100:.1f} s, SGD. Nothing here is computed from sizes: tensors are counted in LibTorch's allocator, packed weights where
they are held, resident memory is the kernel's, above what the process had with LibTorch and the batch loaded.

{markdown(HEAD, rows)}

([as CSV](omc_memory.csv))

Peak of weights and gradients: the most that all tensors and packed weights, momentum too, took at one moment of a step over
one recording of {SHORT / 100:.2f} s. Its activations, at most {activations / 1e6:.1f} MB after the forward pass, are counted in. "Speed" is steps per
second against full weights of the same run with the same momentum. "Coding" is the share of a step that unpacking and
packing take: the values that a step unpacked and packed are counted, and their time is that of unpacking and packing
every matrix once. A matrix is unpacked in the forward pass and once for the backward pass and the step together; with
checkpoints once more for the second forward pass of its block; momentum once for the step, and is packed again with it.
'''


def main():
  parser = argparse.ArgumentParser(prog='./run experiment omc-memory', description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--model', default='conformer-l', help='conformer-xs, -s, -m or -l (default)')
  parser.add_argument('--batch', type=int, default=4, help='recordings in a step')
  parser.add_argument('--frames', type=int, default=400, help='of 10 ms in a recording')
  options = parser.parse_args()
  if subprocess.run([os.path.join(TOP, 'run'), 'build', 'dev', 'thinwire-omc-memory'], cwd=TOP, check=False).returncode:
    sys.exit('thinwire-omc-memory cannot be built')
  rows, full, activations = [], {}, 0
  for way in WAYS:
    name, momentum = way[0], way[3]
    print(f'{name} ...', flush=True)
    result = measure(way, options, options.batch, options.frames, 4)
    short = measure(way, options, 1, SHORT, 2)
    full.setdefault(momentum, result)
    activations = max(activations, short['activations_after_forward'])
    rows.append(row(name, result, short, full[momentum]))
  text = page(options, rows, result['parameters'], activations)
  write_csv(os.path.join(FOLDER, 'omc_memory.csv'), HEAD, rows)
  path = os.path.join(FOLDER, 'omc_memory.md')
  with open(path, 'w', encoding='utf-8') as file:
    file.write(text)
  print(f'{text}\nwritten to {os.path.relpath(path, TOP)}')


if __name__ == '__main__':
  main()
