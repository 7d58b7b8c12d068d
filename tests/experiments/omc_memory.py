#!/usr/bin/env python3
"""One client's memory in training a Conformer: weights in full, packed, packed with checkpoints.

Runs thinwire-omc-memory, each way in a process of its own, and puts the table into docs/results/omc_memory.md. Takes about
three minutes; only the seconds depend on what else the machine does.
"""
import argparse
import json
import os
import subprocess
import sys

from lib.provenance import TOP, machine, revision

PAGE = os.path.join(TOP, 'docs', 'results', 'omc_memory.md')
PROGRAM = os.path.join(TOP, 'build', 'dev', 'bin', 'thinwire-omc-memory')
OMC = '+weights+partial=0.1'

# Name, codec of packed weights ('' for full weights), checkpoints.
WAYS = [
    ('full weights', '', False),
    ('full weights, checkpoints', '', True),
    ('S1E3M7, 1 in 10 exact', 's1e3m7:pow2/4096' + OMC, False),
    ('S1E3M7, 1 in 10 exact, checkpoints', 's1e3m7:pow2/4096' + OMC, True),
    ('S1E3M4, a scale for 64', 's1e3m4:pow2/64+weights', False),
    ('S1E2M3, a scale for 64', 's1e2m3:pow2/64+weights', False),
]


def measure(model, codec, checkpoint, batch, frames, steps):
  """What one process says of itself."""
  command = [PROGRAM, '--model', model, '--batch', str(batch), '--frames', str(frames), '--steps', str(steps)]
  command += ['--weights', 'packed', '--codec', codec] if codec else ['--weights', 'full']
  command += ['--checkpoint'] if checkpoint else []
  done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, 'OPENBLAS_NUM_THREADS': '1'})
  if done.returncode != 0:
    sys.exit(f'{" ".join(command)} failed: {done.stderr.strip()}')
  return json.loads(done.stdout)


def row(name, result, small, full):
  fp32 = 4 * result['parameters']
  held = small['peak_tensors'] - small['activations_after_forward']
  mb = lambda value: f'{value / 1e6:.0f}'
  codec = f"{100 * result['codec_seconds'] / result['step_seconds']:.1f} %" if result['codec'] else '-'
  return [name, mb(result['weights']), f"{100 * result['weights'] / fp32:.1f} %", mb(result['gradients_after_backward']),
          f'{held / fp32:.2f}', mb(result['activations_after_forward']), mb(result['peak_tensors']),
          mb(result['peak_resident']), f"{result['step_seconds']:.2f}",
          f"{full['step_seconds'] / result['step_seconds']:.2f}", codec]


def page(options, rows, parameters):
  head = ['weights', 'weights MB', 'of FP32', 'gradients after backward MB', 'peak of weights and gradients / FP32',
          'activations MB', 'peak tensors MB', 'peak resident MB', 's/step', 'speed', 'coding']
  table = '\n'.join('| ' + ' | '.join(cells) + ' |' for cells in [head, ['---'] * len(head)] + rows)
  return f'''# One client's memory

Made by `./run experiment omc-memory` at {revision()} on {machine()}, one thread.

{options.model}, {parameters / 1e6:.1f} million parameters ({4 * parameters / 1e6:.0f} MB in FP32), steps of {options.batch} recordings of
{options.frames / 100:.1f} s, SGD. Nothing here is computed from sizes: tensors are counted in LibTorch's allocator, packed weights where
they are held, resident memory is the kernel's, above what the process had with LibTorch and the batch loaded.

{table}

Peak of weights and gradients: the most that tensors took in a step over one recording of 0.84 s, less its activations
after the forward pass. "Speed" is steps per second against full weights of the same run, "coding" the share of a step
that expanding every matrix twice and packing it once takes.
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
  rows, full = [], None
  for name, codec, checkpoint in WAYS:
    print(f'{name} ...', flush=True)
    result = measure(options.model, codec, checkpoint, options.batch, options.frames, 4)
    small = measure(options.model, codec, checkpoint, 1, 84, 2)
    full = full or result
    rows.append(row(name, result, small, full))
  text = page(options, rows, full['parameters'])
  with open(PAGE, 'w', encoding='utf-8') as file:
    file.write(text)
  print(f'{text}\nwritten to {os.path.relpath(PAGE, TOP)}')


if __name__ == '__main__':
  main()
