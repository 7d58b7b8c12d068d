"""Numbers with their spread, tables as markdown and CSV, plots as PNG."""
import csv
import math
import os
import random
import statistics
import subprocess


def deviation(values):
  """Sample standard deviation; 0 of a single value."""
  return statistics.stdev(values) if len(values) > 1 else 0.0


def spread(values, digits=4):
  """'0.8612 ± 0.0031 (0.8580..0.8640)': mean, sample standard deviation, range."""
  return (f'{statistics.mean(values):.{digits}f} ± {deviation(values):.{digits}f} '
          f'({min(values):.{digits}f}..{max(values):.{digits}f})')


def paired_interval(errors, other_errors, counts, draws=10000, share=0.95, seed=1):
  """Bootstrap interval of the difference of two error rates over the same recordings (Bisani & Ney 2004).

  errors[s][u]: errors of seed s in recording u, other_errors likewise; counts[u]: words of recording u. Recordings are
  drawn with replacement, both sides and all seeds of a drawn one together.
  """
  differences = [sum(mine[u] for mine in errors) / len(errors) - sum(its[u] for its in other_errors) / len(other_errors)
                 for u in range(len(counts))]
  generator = random.Random(seed)
  rates = []
  for _ in range(draws):
    drawn = generator.choices(range(len(counts)), k=len(counts))
    rates.append(sum(differences[u] for u in drawn) / sum(counts[u] for u in drawn))
  rates.sort()
  tail = (1 - share) / 2
  return rates[int(tail * draws)], rates[int((1 - tail) * draws) - 1]


def paired_difference(values, other_values):
  """Mean and sample standard deviation of the differences, value by value: of the same seeds."""
  differences = [mine - its for mine, its in zip(values, other_values)]
  return statistics.mean(differences), deviation(differences)


def ranks(values):
  """From 1 for the least; equal ones share the mean of theirs."""
  ordered = sorted(values)
  return [ordered.index(value) + (ordered.count(value) + 1) / 2 for value in values]


def rank_correlation(one, other):
  """Spearman's: that of the ranks, from -1 to 1; None if there is none."""
  if len(one) < 3 or len(set(one)) == 1 or len(set(other)) == 1:
    return None
  mine, its = ranks(one), ranks(other)
  middle = (len(one) + 1) / 2
  shared = sum((a - middle) * (b - middle) for a, b in zip(mine, its))
  return shared / math.sqrt(sum((a - middle)**2 for a in mine) * sum((b - middle)**2 for b in its))


def markdown(head, rows):
  lines = [head, ['---'] * len(head)] + rows
  return '\n'.join('| ' + ' | '.join(str(cell) for cell in line) + ' |' for line in lines)


def write_csv(path, head, rows):
  with open(path, 'w', encoding='utf-8', newline='') as file:
    writer = csv.writer(file, lineterminator='\n')
    writer.writerows([head] + rows)


def plot(path, script, data):
  """Runs gnuplot's `script` into `path`, a PNG; `data` are named tables ($name) of rows of numbers and words."""
  blocks = []
  for name, rows in data.items():
    blocks.append(f'${name} << EOD\n' + '\n'.join(' '.join(str(cell) for cell in row) for row in rows) + '\nEOD')
  text = '\n'.join(blocks) + f"\nset terminal pngcairo size 900,560 font 'sans,11'\nset output '{path}'\n" + script
  done = subprocess.run(['gnuplot'], input=text, capture_output=True, text=True, check=False)
  if done.returncode != 0 or not os.path.exists(path):
    raise RuntimeError(f'gnuplot made no {path}: {done.stderr.strip()}')
