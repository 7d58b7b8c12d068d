"""The speech part of ./run experiment omc: which federations are run on AN4, and the tables made of them."""
import csv
import json
import os
import resource
import shutil
import statistics
import subprocess

from lib.figures import deviation, paired_interval, spread
from lib.kept_runs import Run, file_name

# Name, codec of both directions ('' is FP32, with full weights in the clients' memory).
PAPER = [
    ('FP32', 'fp32'),
    ('S1E4M14', 's1e4m14:pow2/4096+weights+partial=0.1'),
    ('S1E3M7', 's1e3m7:pow2/4096+weights+partial=0.1'),
    ('S1E4M3', 's1e4m3:pow2/4096+weights+partial=0.1'),
    ('S1E2M3', 's1e2m3:pow2/4096+weights+partial=0.1'),
]
ON_REQUEST = [
    ('S1E5M10', 's1e5m10:pow2/4096+weights+partial=0.1'),
    ('S1E3M9', 's1e3m9:pow2/4096+weights+partial=0.1'),
]
BEYOND = [
    ('8 bits: S1E2M5, scales for 64', 's1e2m5:pow2/64+weights'),
    ('7 bits: S1E2M4, scales for 64', 's1e2m4:pow2/64+weights'),
    ('6 bits: S1E2M3, scales for 64', 's1e2m3:pow2/64+weights'),
    ('5 bits: S1E2M2, scales for 64', 's1e2m2:pow2/64+weights'),
    ('4 bits: S1E2M1, scales for 64', 's1e2m1:pow2/64+weights'),
]
# All tensors coded: biases and norms in FP32 weigh a percent of so small a model.
SMALL = [
    ('FP32', 'fp32'),
    ('6 bits: S1E2M3, scales for 64, all tensors', 's1e2m3:pow2/64'),
    ('6 bits: S1E2M3, scales for 512, all tensors', 's1e2m3:pow2/512'),
]
# Each line adds to the one above it. Weights in the client's memory are rounded to nearest up to the last line.
ABLATION = [
    ('S1E2M3 and nothing else', 's1e2m3:none/4096', 'packed:nearest'),
    ('+ scale', 's1e2m3:pow2/4096', 'packed:nearest'),
    ('+ correction', 's1e2m3:pow2/4096+correction', 'packed:nearest'),
    ('+ weights only', 's1e2m3:pow2/4096+correction+weights', 'packed:nearest'),
    ('+ partial', 's1e2m3:pow2/4096+correction+weights+partial=0.1', 'packed:nearest'),
    ('+ stochastic rounding', 's1e2m3:pow2/4096+correction+weights+partial=0.1', 'packed'),
]
PARTITIONS = [('iid', 'IID'), ('speaker', 'by speaker')]


class Speech:
  """Paths, and what all its federations have in common."""

  MODEL = 'conformer-xs'
  CHECKPOINT = {'partition': 'speaker', 'without': '3/4', 'batch': 8, 'epochs': 24, 'rate': 1000, 'warm-up': 2,
                'every': 24}
  FEDERATION = {'clients': 8, 'clients-per-round': 8, 'rounds': 4, 'epochs': 1, 'batch': 8, 'learning-rate': 0.0005,
                'momentum': 0.9, 'dropout': 0.1, 'strategy': 'fedadam', 'server-rate': 0.002}
  STEPS = [2, 10]  # of the two processes whose difference is what steps take, whatever else the machine does
  REPEATS = 3      # of both, since caches are shared with that
  LIMIT = 0.35  # FP32's error rate has to end at this or below

  def __init__(self, index, programs, folder, quick=False):
    self.index, self.programs, self.folder = index, programs, folder
    self.checkpoint_options, self.federation = dict(self.CHECKPOINT), dict(self.FEDERATION)
    if quick:
      self.checkpoint_options.update({'epochs': 4, 'every': 4, 'warm-up': 1})
      self.federation.update({'rounds': 1, 'samples': 96})

  def start(self):
    return os.path.join(self.folder, 'checkpoint.safetensors')

  def call(self, program, *words, **options):
    command = [os.path.join(self.programs, program), *words] + [f'--{name}={value}' for name, value in options.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, 'OPENBLAS_NUM_THREADS': '1'})
    if done.returncode != 0:
      raise RuntimeError(f'{program} ended with code {done.returncode}: {done.stderr.strip()[-600:]}')
    return done.stdout

  def checkpoint(self):
    """The run that trains the model to start from."""
    def work():
      options = dict(self.checkpoint_options, data=self.index, model=self.MODEL, out=self.start() + '.new')
      table = self.call('thinwire-train-speech', **options).strip().splitlines()
      os.replace(self.start() + '.new', self.start())
      return dict(zip(table[0].split('\t'), map(float, table[-1].split('\t'))))
    return Run('checkpoint', dict(self.checkpoint_options, model=self.MODEL), work)

  def test(self, model):
    """Loss of the test set, and errors and words of each recording in its order."""
    path = model + '.transcripts'
    printed = self.call('thinwire-train-speech', data=self.index, model=self.MODEL, start=model, epochs=0,
                        transcripts=path).splitlines()
    with open(path, encoding='utf-8', newline='') as file:
      lines = list(csv.DictReader(file, delimiter='\t', quoting=csv.QUOTE_NONE))
    errors, words = [int(line['errors']) for line in lines], [int(line['words']) for line in lines]
    return {'loss': float(dict(zip(printed[0].split('\t'), printed[1].split('\t')))['test_loss']), 'errors': errors,
            'words': words, 'wer': sum(errors) / sum(words)}

  def run(self, codec, partition, seed, weights=None):
    """A federation in one process, thinwire-simulate; the model that it leaves is tested in full precision."""
    weights = weights or ('full' if codec == 'fp32' else 'packed')
    settings = dict(self.federation, task='speech', model=self.MODEL, plan=codec, weights=weights, partition=partition,
                    seed=seed, start=self.checkpoint_options)
    name = file_name(f'{codec}-{weights}-{partition}-{seed}')

    def work():
      state = os.path.join(self.folder, 'states', name)
      shutil.rmtree(state, ignore_errors=True)
      options = dict(settings, start=self.start(), data=self.index, threads=1, state=state, format='json')
      result = json.loads(self.call('thinwire-simulate', '--no-sync', **options))
      if result['state'] != 'COMPLETED':
        raise RuntimeError(f"the federation ended as {result['state']}: {result['reason']}")
      tested = self.test(result['model_path'])
      shutil.rmtree(state)
      return dict(tested, wer_at_clients=1 - result['accuracy'], trainers=result['trainers'],
                  cpu_seconds=result['cpu_seconds'], rounds=result['rounds'])
    return Run(name, settings, work)

  def memory(self, codec):
    """What one client's parameters and process take, and processor time of a step, measured in processes of its own."""
    settings = {'model': self.MODEL, 'codec': codec, 'batch': 8, 'frames': 400, 'steps': self.STEPS}

    def measure(steps):
      options = {name: value for name, value in settings.items() if name not in ('codec', 'steps')}
      way = {'weights': 'full'} if codec == 'fp32' else {'weights': 'packed', 'codec': codec}
      before = resource.getrusage(resource.RUSAGE_CHILDREN)
      result = json.loads(self.call('thinwire-omc-memory', **options, **way, steps=steps))
      after = resource.getrusage(resource.RUSAGE_CHILDREN)
      return result, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def work():
      seconds = []
      for _ in range(self.REPEATS):
        (_, less), (result, more) = (measure(steps) for steps in self.STEPS)
        seconds.append((more - less) / (self.STEPS[1] - self.STEPS[0]))
      row = {name: result[name] for name in ('parameters', 'weights', 'peak_tensors', 'peak_resident')}
      return dict(row, step_seconds=statistics.median(seconds))
    return Run(file_name('memory-' + codec), dict(settings, repeats=self.REPEATS), work)


def compared(rows, reference):
  """'+0.004 [-0.006, +0.013]': the mean error rate less the reference's, with its paired bootstrap interval."""
  difference = statistics.mean(row['wer'] for row in rows) - statistics.mean(row['wer'] for row in reference)
  low, high = paired_interval([row['errors'] for row in rows], [row['errors'] for row in reference], rows[0]['words'])
  return f'{difference:+.3f} [{low:+.3f}, {high:+.3f}]'


def share(rows, direction):
  """Payload in percent of the same in FP32."""
  total = sum(row['trainers'][direction]['fp32_payload'] for row in rows)
  return 100 * sum(row['trainers'][direction]['payload'] for row in rows) / total


def megabytes(rows, direction):
  return f"{statistics.mean(row['trainers'][direction]['payload'] for row in rows) / 1e6:.2f}"


def wer_cells(rows, reference, start):
  """Under WER_HEAD: loss, and how much of the reference's gain over the loss at the start it is; error rate with its
  spread; its difference to the reference, '-' for itself; what the evaluator saw."""
  losses = [row['loss'] for row in rows]
  gain = (start - statistics.mean(losses)) / (start - statistics.mean(row['loss'] for row in reference))
  return [f'{statistics.mean(losses):.3f} ± {deviation(losses):.3f}', f'{100 * gain:.0f} %',
          spread([row['wer'] for row in rows], 3), '-' if rows is reference else compared(rows, reference),
          f"{statistics.mean(row['wer_at_clients'] for row in rows):.3f}"]


WER_HEAD = ['loss', "of FP32's gain", "WER, server's model", 'against FP32 [95 %]', 'WER, as clients hold it']
HEAD = ['clients', 'weights and payloads', *WER_HEAD, 'parameter memory', 'down MB', 'up MB', 'down / FP32', 'up / FP32',
        'peak tensors MB', 'peak resident MB', 'CPU s/step', 'speed of a step', 'speed of a run']


def table(results, memory, formats, label, start):
  """Rows under HEAD for one partition. results[codec] are its rows by seed, memory[codec] what a client takes."""
  def seconds(codec):
    return statistics.median(row['cpu_seconds'] for row in results[codec])
  lines = []
  for name, codec in formats:
    rows, held = results[codec], memory[codec]
    lines.append([label, name, *wer_cells(rows, results['fp32'], start),
                  f"{100 * held['weights'] / (4 * held['parameters']):.1f} %", megabytes(rows, 'down'),
                  megabytes(rows, 'up'), f"{share(rows, 'down'):.1f} %", f"{share(rows, 'up'):.1f} %",
                  f"{held['peak_tensors'] / 1e6:.1f}", f"{held['peak_resident'] / 1e6:.0f}",
                  f"{held['step_seconds']:.3f}", f"{memory['fp32']['step_seconds'] / held['step_seconds']:.2f}",
                  f"{seconds('fp32') / seconds(codec):.2f}"])
  return lines


def ablation_table(results, reference, start):
  """Head and rows; results by codec and weights."""
  lines = [['FP32', *wer_cells(reference, reference, start), '100.0 %']]
  for name, codec, weights in ABLATION:
    rows = results[codec, weights]
    lines.append([name, *wer_cells(rows, reference, start), f"{share(rows, 'down'):.1f} %"])
  return ['weights and payloads', *WER_HEAD, 'down / FP32'], lines


def void(reference, limit=Speech.LIMIT):
  """Why the table does not count, or ''."""
  wer = statistics.mean(row['wer'] for row in reference)
  return f'FP32 ends at WER {wer:.3f}, above {limit}: the table is void.' if wer > limit else ''

