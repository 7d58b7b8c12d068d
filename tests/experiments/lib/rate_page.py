"""docs/results/rate.md: codecs on real updates."""
import math
import os

from lib import rate_curves

RATES = (0.05, 0.1, 0.25, 0.5, 1, 2, 3)
ERRORS = (0.5, 0.2, 0.1, 0.05)
SPEEDS = (0.05, 0.5, 2)

TITLE = 'Update codecs: bits, error, accuracy, time'
HEAD = 'Made by `%s`, part by part.'
UPDATES_TITLE = 'Bits against error'
UPDATES_TEXT = '''Errors are relative, sum of |x|^M (x - y)^2 over sum of |x|^(M + 2); at M = 0 the square of the ratio of norms. Rates are
of whole strings with all side information; manifest and headers of a payload come besides. Means over updates
are geometric. A codec with several settings has the lower convex hull of (rate, log error) over them, chosen for each
metric, update and rate: the best that a perfect choice of settings could do, the same for all. `rdu` has no settings, but
its constants were chosen on six updates of a CNN of 454,922 parameters, trained on Fashion-MNIST: on those it is at
home.'''

PLOT = '''set xlabel "bits a parameter"
set ylabel "relative squared error"
set logscale xy
set grid
set key outside right
plot %s
'''

# By name: the settings of a codec.
CODECS = {
    'rdu': ['rdu:bits=1'],
    **{f'rdu, M = {m}': [f'rdu:bits=1,m={m}'] for m in (1, 2, 4)},
    'rdu, fast': ['rdu:bits=1,fast'],
    **{f'M22, generalised normal, M = {m}': [f'm22:bits=1,r={r}' + (f',m={m}' if m else '') for r in range(1, 9)]
       for m in (0, 1, 2, 4)},
    'M22, double Weibull, M = 2': [f'm22:bits=1,r={r},m=2,weibull' for r in range(1, 9)],
    'M22, likelihood, M = 2': [f'm22:bits=1,r={r},m=2,ml' for r in range(1, 7)],
    'TINYSCRIPT': [f'tinyscript:bits=1,r={r}' for r in range(1, 9)],
    'top-K + uniform': [f'topk-uniform:bits=1,r={r}' for r in range(1, 9)],
    'top-K + FP8 1-5-2': ['topk-float:bits=1,format=s1e5m2'],
    'top-K + FP8 1-4-3': ['topk-float:bits=1,format=s1e4m3'],
    'top-K + FP4 1-2-1': ['topk-float:bits=1,format=s1e2m1'],
    'sign': ['sign:bits=1'],
    'QSGD, 512': ['qsgd:bits=1,bucket=512'],
    'EDEN': ['eden:bits=1'],
    'EDEN, unbiased': ['eden:bits=1,unbiased'],
}


# Compared at each R, bits of a kept entry, in M22's own measure: their settings are for R = 1 and up.
BY_R = ('M22, generalised normal, M = 2', 'M22, generalised normal, M = 0', 'top-K + uniform')
BY_R_RATES = (0.25, 1)
BY_R_EXPONENT = 2

# In the plot.
PLOTTED = ('rdu', 'rdu, fast', 'M22, generalised normal, M = 0', 'top-K + uniform', 'QSGD, 512', 'EDEN')


def cell(value, form):
  return '-' if value is None else form(value)


def decibel(log):
  return f'{-10 / math.log(10) * log:.1f}'


NETS_TITLE = 'Updates of other nets'
NETS_TEXT = '''Updates of the first client of some rounds of an FP32 federation, as clients make them before any codec
(`thinwire-simulate --keep-updates`): trainable values only. Read as the part above; `rdu` has seen none of them.'''


def nets_table(page, nets, rows, rounds):
  """How the updates came about. rows: of the runs that made them, by net's name."""
  lines = []
  for net in nets:
    options = ' '.join(f'--{name} {value}' for name, value in net.options.items())
    loss = rows[net.name]['loss']
    lines.append([f'`{net.name}`', net.label, f'`{options}`'] + [f'{value:.3f}' for value in loss])
  page.table('nets', ['updates', 'net', 'federation'] + [f'training loss, round {number}' for number in rounds], lines)


def updates_section(page, folder, rows):
  """rows: by codec's name, of its settings."""
  first = next(iter(rows.values()))[0]
  name = os.path.basename(os.path.abspath(folder))
  page.add(f"### Updates in `{name}`\n\n{len(first['updates'])} updates of {first['parameters']:,} parameters.")
  curves = {codec: rate_curves.hulls(its, 0) for codec, its in rows.items()}
  page.add('Bits a parameter at a relative squared error (M = 0):')
  page.table(f'{name}_bits', ['codec', *map(str, ERRORS)], [
      [codec] + [cell(rate_curves.mean_at(its, lambda c, x: _log(rate_curves.rate_at(c, x)), math.log(error)),
                      lambda log: f'{math.exp(log):.4f}') for error in ERRORS]
      for codec, its in curves.items()])
  for index, exponent in enumerate(first['exponents']):
    form = (lambda log: f'{math.exp(log):.4f}') if index == 0 else decibel
    page.add(f'M = {exponent:g}: ' + ('relative error' if index == 0 else 'decibel below the update') +
             ' at bits a parameter:')
    page.table(f'{name}_m{exponent:g}', ['codec', *map(str, RATES)], [
        [codec] + [cell(rate_curves.mean_at(rate_curves.hulls(its, index), rate_curves.error_at, rate), form)
                   for rate in RATES]
        for codec, its in rows.items()])
  page.picture(name, f'{name}: bits against error', PLOT % ', \\\n  '.join(
      f'${_block(codec)} using 1:2 with linespoints title "{codec}"' for codec in PLOTTED), {
          _block(codec): [(rate, math.exp(error)) for rate in rate_curves.BUDGETS
                          if (error := rate_curves.mean_at(curves[codec], rate_curves.error_at, rate)) is not None]
          for codec in PLOTTED})
  by_r_table(page, name, rows, first['exponents'].index(BY_R_EXPONENT))
  page.add('Million values a second of one thread, encoding and decoding, first setting:')
  page.table(f'{name}_speed', ['codec'] + [f'{way} at {rate}' for rate in SPEEDS for way in ('encode', 'decode')], [
      [codec] + [speed(its[0], rate, f'{way}_seconds') for rate in SPEEDS for way in ('encode', 'decode')]
      for codec, its in rows.items()])


def by_r_table(page, name, rows, index):
  """The papers' comparison: the same budget and the same R for all."""
  settings = {codec: rows[codec] for codec in BY_R}
  if len({len(its) for its in settings.values()}) != 1:
    return
  lines = []
  for r in range(1, 1 + len(rows[BY_R[0]])):
    found = [rate_curves.mean_at(rate_curves.hulls([its[r - 1]], index), rate_curves.error_at, rate)
             for rate in BY_R_RATES for its in settings.values()]
    lines.append([r] + [cell(log, decibel) for log in found])
  page.add(f'At equal R and equal true bits, M = {BY_R_EXPONENT}, decibel below the update:')
  page.table(f'{name}_by_r', ['R'] + [f'{codec}, at {rate}' for rate in BY_R_RATES for codec in BY_R], lines)


def _log(value):
  return None if value is None else math.log(value)


def _block(codec):
  return ''.join(letter if letter.isalnum() else '_' for letter in codec)


def speed(row, rate, field):
  seconds = [point[field] for points in row['updates'].values() for point in points if point['asked'] == rate]
  if len(seconds) < len(row['updates']):
    return '-'
  return f"{row['parameters'] * len(seconds) / sum(seconds) / 1e6:.1f}"
