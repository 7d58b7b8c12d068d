#!/usr/bin/env python3
"""Fashion-MNIST over the demo's federation: FP32 against S1E3M7, accuracy and bytes, mean and spread over seeds.

Each run is a whole federation of processes (thinwire-local). Its result is kept as soon as it is there, so that a broken
experiment goes on where it stopped. The table goes to docs/results/demo.md.
"""
import argparse
import os
import statistics
import sys

from lib.figures import spread
from lib.kept_runs import FailedRuns, KeptRuns
from lib.local_run import local_run
from lib.provenance import TOP, machine

KEPT = os.path.join(TOP, 'out', 'experiments', 'demo-accuracy')
TABLE = os.path.join(TOP, 'docs', 'results', 'demo.md')
PLANS = ['fp32', 's1e3m7']

# What thinwire-local is told besides --plan and --seed; the demo's own options are its defaults.
JOBS = {
    'demo': {},
    'plain': {'samples': 20000, 'lr': 0.05, 'momentum': 0},
}


def run(programs, job, plan, seed):
  return local_run(f'{job}-{plan}-{seed}', dict(JOBS[job], plan=plan, seed=seed), programs, os.path.join(KEPT, 'runs'))


def megabytes(rows, direction, kind):
  return f"{statistics.mean(row['trainers'][direction][kind] for row in rows) / 1e6:.3f}"


def ratio(rows, above, below):
  """Both directions together, in percent."""
  def total(kind):
    return sum(row['trainers'][direction][kind] for row in rows for direction in ('down', 'up'))
  return f'{100 * total(above) / total(below):.2f} %'


def summary_line(label, rows):
  cells = [label, spread([row['accuracy'] for row in rows])]
  for direction in ('down', 'up'):
    cells += [megabytes(rows, direction, 'payload'), megabytes(rows, direction, 'wire')]
  cells += [ratio(rows, 'payload', 'fp32_payload'), ratio(rows, 'wire', 'payload'),
            f"{statistics.mean(row['seconds'] for row in rows):.1f}",
            f"{statistics.mean(row['clients']['cpu_seconds'] for row in rows):.0f}",
            f"{max(row['server']['peak_rss_bytes'] for row in rows) / 1e6:.0f} / "
            f"{max(row['clients']['peak_rss_bytes'] for row in rows) / 1e6:.0f}"]
  return '| ' + ' | '.join(cells) + ' |'


def per_round_lines(job, results, seeds):
  lines = ['| round | ' + ' | '.join(PLANS) + ' |', '|---' * (len(PLANS) + 1) + '|']
  rounds = len(results[job, PLANS[0], seeds[0]]['rounds'])
  for i in range(rounds):
    cells = []
    for plan in PLANS:
      values = [results[job, plan, seed]['rounds'][i]['accuracy'] for seed in seeds]
      known = [value for value in values if value is not None]
      cells.append(f'{statistics.mean(known):.4f}' if known else '-')
    lines.append(f'| {i + 1} | ' + ' | '.join(cells) + ' |')
  return lines


def table(results, seeds):
  revisions = ', '.join(sorted({row['revision'] for row in results.values()}))
  options = results['demo', PLANS[0], seeds[0]]['options']
  lines = [
      '# The demo in figures', '',
      f'Made by `./run experiment demo-accuracy --seeds {len(seeds)}` at {revisions} on {machine()}.', '',
      f"Fashion-MNIST, {options['clients']} trainers and one evaluator as processes on one machine, partition "
      f"{options['partition']}, model {options['model']}, {options['rounds']} rounds of {options['local_epochs']} local "
      f"epoch(s), batch {options['batch']}, one thread per process.", '',
      f"- **demo**: {options['samples'] or 'all 60000'} samples, SGD at {options['lr']} with momentum {options['momentum']}: the options of "
      '`./run demo`.',
      f"- **plain**: {JOBS['plain']['samples']} samples, SGD at {JOBS['plain']['lr']} without momentum. Flower 1.6.0 on this "
      'job, measured apart (another machine with two cores, its own draw of a partition of that kind, one run, FP32): '
      '0.768 in 66 s with 91.7 MB both ways.', '',
      f'Accuracy is that of the last version on the 10,000 test images: mean ± standard deviation (range) over '
      f'{len(seeds)} seeds, which change weights, partition, order of samples and subset. Bytes are those of all trainers '
      'in a whole run, mean over seeds; payload is what a budget counts, wire is TCP payload counted by a proxy between '
      'trainers and server. Seconds run from the start of the first process to the end of the run; with other work on the '
      'machine they grow, and the clients\' CPU seconds do not.', '',
      '| run | accuracy | down payload MB | down wire MB | up payload MB | up wire MB | payload / FP32 | wire / payload '
      '| seconds | clients\' CPU s | peak MB server / client |',
      '|---|---|---|---|---|---|---|---|---|---|---|']
  for job in JOBS:
    for plan in PLANS:
      lines.append(summary_line(f'{job}, {plan}', [results[job, plan, seed] for seed in seeds]))
  lines += ['',
            'The evaluator downloads every version once more; per run '
            + ', '.join(f"{statistics.mean(results['demo', plan, seed]['evaluator']['down']['wire'] for seed in seeds) / 1e6:.3f} "
                        f'MB on the wire with {plan}' for plan in PLANS) + ' (demo).']
  for job in JOBS:
    lines += ['', f'## Accuracy after each round: {job}', ''] + per_round_lines(job, results, seeds)
  return '\n'.join(lines) + '\n'


def main():
  parser = argparse.ArgumentParser(prog='./run experiment demo-accuracy', description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--seeds', type=int, default=3, help='runs per row, with seeds 1..N (default 3)')
  parser.add_argument('--fresh', action='store_true', help='run all again, also what is kept')
  parser.add_argument('--programs', default=os.path.join(TOP, 'build', 'dev', 'bin'), help='folder of thinwire-local')
  arguments = parser.parse_args()
  if arguments.seeds < 1:
    parser.error('--seeds must be at least 1')
  seeds = list(range(1, arguments.seeds + 1))
  runs = {(job, plan, seed): run(arguments.programs, job, plan, seed) for seed in seeds for job in JOBS for plan in PLANS}
  rows = KeptRuns(KEPT, arguments.fresh).all(
      list(runs.values()), say=lambda row: f"accuracy {row['accuracy']:.4f} in {row['seconds']:.1f} s")
  results = {key: rows[each.name] for key, each in runs.items()}
  text = table(results, seeds)
  os.makedirs(os.path.dirname(TABLE), exist_ok=True)
  with open(TABLE, 'w', encoding='utf-8') as file:
    file.write(text)
  print(f'\n{text}\nwritten to {os.path.relpath(TABLE)}')


if __name__ == '__main__':
  try:
    main()
  except FailedRuns as failure:
    sys.exit(str(failure))
