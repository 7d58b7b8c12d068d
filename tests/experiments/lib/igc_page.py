"""docs/results/igc.md with its tables as CSV and its plots, made of kept rows."""
import statistics

from lib.figures import deviation, paired_difference, spread

COLUMNS = ['method', 'rates tried', 'rate', 'accuracy', 'loss', 'up MB', 'down MB', 'total MB', 'FedAvg / this', 'front']

PLOT = '''set xlabel "payload up and down, MB"
set ylabel "accuracy"
set logscale x
set grid
set key below Left reverse samplen 2 maxcols 2 font ',9'
plot %s
'''

TITLE = 'Intrinsic gradient compression in figures'
HEAD = '''Made by `%s`, task by task.

Simulated federations ([simulate.md](../simulate.md)), initial weights drawn from the seed. ± is the standard deviation
over seeds, which change weights, partition, cohorts and order; the range is in parentheses. Bytes are payloads of all
trainers in the whole run, with everything in them: headers, indices, first downloads, and the upload of initial weights,
4 bytes a parameter, which one client sends the server once under every method. Of the rates tried, all with the first
seed, the one with the lowest loss at the end is taken, unless it diverges with another seed; that loss is of the samples
that accuracies are of, for every method alike. "front": no other method has a higher mean accuracy at the same total or
less.'''


def megabytes(rows, direction):
  return statistics.mean(row['trainers'][direction]['payload'] for row in rows) / 1e6


def total(rows):
  return megabytes(rows, 'up') + megabytes(rows, 'down')


def accuracy(rows):
  return statistics.mean(row['accuracy'] for row in rows)


def on_front(results, name):
  """Whether no other method is better for as many bytes; results: rows by method."""
  mine = results[name]
  return not any(total(rows) <= total(mine) and accuracy(rows) > accuracy(mine)
                 for other, rows in results.items() if other != name)


def lines_of(methods, tried, chosen, results, reference):
  """Rows under COLUMNS. By method: rates tried, the chosen one, rows. reference: rows that ratios are against."""
  lines = []
  for method in methods:
    rows = results[method.name]
    rates = f'as {method.tuned_like}' if method.tuned_like else ', '.join(f'{rate:g}' for rate in tried[method.name])
    losses = [row['loss'] for row in rows]
    lines.append([method.label, rates, f'{chosen[method.name]:g}', spread([row['accuracy'] for row in rows]),
                  f'{statistics.mean(losses):.3f} ± {deviation(losses):.3f}',
                  f"{megabytes(rows, 'up'):.2f}", f"{megabytes(rows, 'down'):.2f}", f'{total(rows):.2f}',
                  f'{total(reference) / total(rows):.1f}', 'yes' if on_front(results, method.name) else ''])
  return lines


def best_within(rows, limit):
  """Accuracies by seed at the evaluation with the highest mean of those that took at most `limit` bytes; None if all took
  more."""
  within = [[at['accuracy'] for at in several] for several in zip(*(row['seen'] for row in rows))
            if statistics.mean(at['payload'] for at in several) <= limit]
  return max(within, key=statistics.mean, default=None)


def rivals_within(methods, results, reference):
  """Rows under RIVALS_HEAD: each plan of a subspace that takes at most a hundredth of the reference's bytes, and what the
  best other method reaches, at any evaluation, with no more bytes."""
  lines = []
  for method in (method for method in methods if method.subspace):
    rows = results[method.name]
    if total(reference) < 100 * total(rows):
      continue
    found = [(other.label, its) for other in methods if not other.subspace
             if (its := best_within(results[other.name], total(rows) * 1e6)) is not None]
    line = [method.label, f'{total(rows):.2f}', f'{total(reference) / total(rows):.0f}', f'{accuracy(rows):.4f}']
    if found:
      label, its = max(found, key=lambda one: statistics.mean(one[1]))
      mean, deviates = paired_difference([row['accuracy'] for row in rows], its)
      line += [label, f'{statistics.mean(its):.4f}', f'{mean:+.4f} ± {deviates:.4f}']
    else:
      line += ['none', '-', '-']
    lines.append(line)
  return lines


RIVALS_HEAD = ['plan', 'total MB', 'FedAvg / this', 'accuracy', 'best rival within these bytes', 'its accuracy', 'difference']


def curve(rows):
  """Mean accuracy over seeds at each evaluation, against the bytes up to it."""
  return [(statistics.mean(at['payload'] for at in several) / 1e6, statistics.mean(at['accuracy'] for at in several))
          for several in zip(*(row['seen'] for row in rows))]


def federation_of(task):
  """What stands under a task's head."""
  options = ' '.join(f'--{name} {value}' for name, value in task.options.items() if name != 'data')
  return f'`{options}`, and what a method says of its own.'


def method_section(page, task, methods, tried, chosen, results):
  page.table(task.name, COLUMNS, lines_of(methods, tried, chosen, results, results['fedavg']))
  lines = rivals_within(methods, results, results['fedavg'])
  if lines:
    page.add('With at most a hundredth of FedAvg\'s bytes, against what any method outside of a subspace reaches with as many, '
             'at its best evaluation; differences seed by seed:')
    page.table(f'{task.name}_rivals', RIVALS_HEAD, lines)
  lines = [f'${method.name} using 1:2 with linespoints title "{method.label}"' for method in methods]
  page.picture(task.name, f'{task.label}: accuracy against bytes', PLOT % ', \\\n  '.join(lines),
               {method.name: curve(results[method.name]) for method in methods})


def coordinates(rows):
  """Megabytes both ways without the initial weights, which are what the first round's uploads have more than others."""
  return statistics.mean(total([row]) - (row['payload_up'][0] - row['payload_up'][1]) / 1e6 for row in rows)


def study_section(page, name, title, text, task, studies, rows, chosen):
  """One table. studies: methods; rows and chosen rates by method's name."""
  lines = []
  for method in studies:
    mine = rows[method.name]
    lines.append([method.label, f'{chosen[method.name]:g}', spread([row['accuracy'] for row in mine]),
                  f"{statistics.mean(row['loss'] for row in mine):.3f}", f'{total(mine):.2f}',
                  f'{coordinates(mine):.2f}', f"{statistics.mean(row['cpu_seconds'] for row in mine):.0f}"])
  page.add(f'### {title}\n\n{text}')
  page.table(name, ['plan', 'rate', 'accuracy', 'loss', 'total MB', 'without initial weights', 'CPU s'], lines)

