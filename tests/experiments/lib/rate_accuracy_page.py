"""What part c of ./run experiment rate says: tables, plots, and answers read off them."""
import statistics

from lib.figures import deviation, paired_difference, rank_correlation, spread

TITLE = 'Accuracy against uplink bits'
TEXT = '''Simulated federations ([simulate.md](../simulate.md)); models go down in FP32 (with S1E3M7 in S1E3M7), updates go up through the
codec. All codecs of a setting train with the same learning rate, the one with which FP32 ended best with the first seed:
they stand in for the same uplink. Where a codec has settings (bits of a kept entry, small float), the one with the least
error on updates of the FP32 federation is taken at each budget, M22's by its own M. ± is the standard deviation over
seeds, which change weights, partition and order; the range is in parentheses. "Uplink" is what an update really took, in
bits a trainable parameter with manifest, headers and buffers, "error" the relative squared error on the updates of the FP32
federation at that budget. FetchSGD is not here: it sums up one step of all clients a round, not what they learn in an
epoch ([igc.md](../igc.md)).'''

HEAD = ['codec', 'budget', 'plan', 'uplink', 'FP32 / uplink', 'error', 'accuracy', 'against FP32', 'loss']

PLOT = '''set xlabel "%s"
set ylabel "accuracy"
set logscale x
set grid
set key outside right
plot %s
'''
POINT = 0.01  # "one point" of accuracy


def table_lines(lines, updates, parameters):
  """Rows under HEAD."""
  reference = lines[0]
  table = []
  for line in lines:
    start = [line.codec.label, '-' if line.bits is None else f'{line.bits:g}', f'`{line.plan}`' if line.plan else '-']
    error = '-' if line.error is None else f'{line.error:.4f}'
    if line.refused:
      table.append(start + ['-', '-', error, line.refused, '-', '-'])
      continue
    uplink = line.uplink(updates, parameters)
    losses = [row['loss'] for row in line.rows]
    table.append(start + [f'{uplink:.4f}', f'{reference.uplink(updates, parameters) / uplink:.0f}', error,
                          spread(line.accuracies()), against(line, reference),
                          f'{statistics.mean(losses):.3f} ± {deviation(losses):.3f}'])
  return table


def against(line, other):
  if line is other:
    return '-'
  mean, spread_of = paired_difference(line.accuracies(), other.accuracies())
  return f'{mean:+.4f} ± {spread_of:.4f}'


def verdict(line, other):
  """'above', 'below' or 'within the spread' of other: the difference seed by seed against its standard deviation."""
  if len(line.rows) < 2:
    return 'of one seed'
  mean, spread_of = paired_difference(line.accuracies(), other.accuracies())
  if abs(mean) <= spread_of:
    return 'within the spread'
  return 'above' if mean > 0 else 'below'


def comparison(lines, bits, updates, parameters):
  """rdu against every other codec with this budget: rows of budget, label, its uplink, difference, verdict."""
  ran = [line for line in lines if line.bits == bits and not line.refused]
  mine = next((line for line in ran if line.codec.name == 'rdu'), None)
  if mine is None:
    return []
  return [[f'{bits:g}', line.codec.label, f'{line.uplink(updates, parameters):.4f}', against(mine, line),
           verdict(mine, line)] for line in ran if line is not mine]


def least_uplinks(lines, updates, parameters):
  """By codec: the least uplink that was run with a mean accuracy within one point of FP32; None if there is none."""
  limit = lines[0].mean() - POINT
  least = {}
  for line in lines:
    if line.bits is None or line.refused:
      continue
    least.setdefault(line.codec.label, None)
    uplink = line.uplink(updates, parameters)
    if line.mean() >= limit and (least[line.codec.label] is None or uplink < least[line.codec.label]):
      least[line.codec.label] = uplink
  return least


def correlations(lines):
  """(what, how many, Spearman's of error and accuracy): over all, then at each budget. Without error feedback, which does
  something else to the error."""
  ran = [line for line in lines if line.error is not None and not line.refused and not line.codec.suffix]
  groups = [('all budgets', ran)] + [(f'{bits:g}', [line for line in ran if line.bits == bits])
                                     for bits in sorted({line.bits for line in ran})]
  found = [(what, len(its), rank_correlation([line.error for line in its], [line.mean() for line in its]))
           for what, its in groups]
  return [[what, count, f'{value:+.2f}'] for what, count, value in found if value is not None]


def feedback(lines):
  """Error feedback against none: rows of budget, difference, verdict."""
  ran = {(line.codec.name, line.bits): line for line in lines if not line.refused}
  return [[f'{bits:g}', against(line, ran['rdu', bits]), verdict(line, ran['rdu', bits])]
          for (name, bits), line in ran.items() if name == 'rdu-ef' and ('rdu', bits) in ran]


def by_codec(lines, x):
  """Points for a plot: by label (x, mean, least, greatest), in the order of x."""
  points = {}
  for line in lines:
    if not line.refused and (at := x(line)) is not None:
      accuracies = line.accuracies()
      points.setdefault(line.codec.label, []).append((at, line.mean(), min(accuracies), max(accuracies)))
  return {label: sorted(its) for label, its in points.items()}


def picture(page, name, title, label, points):
  blocks = {label_of: ''.join(letter if letter.isalnum() else '_' for letter in label_of) for label_of in points}
  curves = ', \\\n  '.join(f'${blocks[label_of]} using 1:2:3:4 with yerrorlines title "{label_of}"' for label_of in points)
  page.picture(name, title, PLOT % (label, curves), {blocks[label_of]: its for label_of, its in points.items()})


def setting_section(page, setting, lines, rate, parameters, seeds):
  updates = setting.options['clients-per-round']
  options = ' '.join(f'--{name} {value}' for name, value in setting.options.items() if name != 'data')
  tried = ', '.join(f'{each:g}' for each in setting.rates)
  page.add(f'### {setting.label}\n\n`{options}`, {parameters:,} trainable parameters, learning rate {rate:g} of {tried}, '
           f'{len(seeds)} seed{"s" if len(seeds) > 1 else ""}.')
  page.table(f'accuracy_{setting.name}', HEAD, table_lines(lines, updates, parameters))
  picture(page, f'accuracy_{setting.name}', f'{setting.label}: accuracy against uplink bits',
          'uplink, bits a parameter', by_codec(lines, lambda line: line.uplink(updates, parameters)))
  rows = [row for bits in setting.budgets() for row in comparison(lines, bits, updates, parameters)]
  if rows:
    page.add('rdu less each rival with its budget, seed by seed; "within the spread": by no more than the differences\' '
             'standard deviation.')
    page.table(f'rivals_{setting.name}', ['budget', 'rival', "rival's uplink", 'rdu less rival', 'rdu is'], rows)
  page.add('Least uplink of those run with a mean accuracy no more than one point below that of FP32:')
  page.table(f'point_{setting.name}', ['codec', 'bits a parameter'], [
      [label, 'none' if bits is None else f'{bits:.4f}']
      for label, bits in least_uplinks(lines, updates, parameters).items()])
  rows = correlations(lines)
  if rows:
    page.add('Does less error give more accuracy? Rank correlation of the two (-1: always) over codecs without error '
             'feedback:')
    page.table(f'error_{setting.name}', ['budget', 'codecs and budgets', "Spearman's"], rows)
  errors = by_codec([line for line in lines if not line.codec.suffix], lambda line: line.error)
  if errors:
    picture(page, f'error_{setting.name}', f'{setting.label}: accuracy against error', 'relative squared error', errors)
  rows = feedback(lines)
  if rows:
    page.add('Error feedback with rdu, less none:')
    page.table(f'feedback_{setting.name}', ['budget', 'with less without', 'with it is'], rows)
