"""What parts c1 and c2 of ./run experiment rate say: tables and plots."""
import statistics

from lib.figures import deviation, spread
from lib.rate_answers import GOALS_HEAD, against, comparison, correlations, feedback, goals, least_uplinks

TITLE = 'Accuracy against uplink bits'
TEXT = '''Simulated federations ([simulate.md](../simulate.md)); models go down in FP32 (with S1E3M7 in S1E3M7), updates go up through
the codec. All codecs train with the same learning rate, the one with which FP32 ended best with the first seed: they stand in
for the same uplink. Where a codec has settings (bits of a kept entry, small float), the one with the least error on updates of
the FP32 federation is taken at each budget, M22's by its own M. ± is the standard deviation over seeds, which change weights,
partition and order; the range is in parentheses. "Uplink" is what an update really took, in bits a trainable parameter with
manifest, headers and buffers, "error" the relative squared error on the updates of the FP32 federation at that budget,
"training loss" what clients report of the last round, "a megabit" the accuracy gained over a guess (0.1) for each megabit that
went up. FetchSGD and its count sketch are not here: it sums up one step of all clients a round, not what they learn in an
epoch ([igc.md](../igc.md)).'''
TEXTS = {
    'c1': TEXT + '''

The setting is that of M22 (Liu, Rini, Salehkalaibar & Chen 2023) but for three things that cost too much time here or that
clients do not have: 5,000 pictures and not 50,000, an epoch a round and not three, SGD with momentum 0.9 and not Adam. Its
net, its two clients with the same mixture of classes, its batch and its ten rounds are the paper's.

**The net has BatchNorm, and at few bits that is most of what is seen here.** Its statistics are those of the weights that a
client has trained to, and travel almost exactly, whatever the codec loses of the weights; a model that got little of the
weights is tested with statistics of another one. With top-K + uniform at 0.05 bits, first seed, the training loss, which
knows no such statistics, falls from 2.11 to 1.89, while the test loss rises to 2.65, worse than a guess; with rdu the
training loss falls to 1.74, and the test loss to 1.66 after 2.39 in the second round (both by `thinwire-simulate`
with the options below, `--evaluate-every 2 --learning-rate 0.005 --seed 1 --format json`, outside of this table). So
the order is that of training, but the distances are not; the net of the next part has no BatchNorm.''',
    'c2': '''Read as the part above. Ten clients hold few classes each, all of them take part in each round, and the net has no
BatchNorm.''',
}

HEAD = ['codec', 'budget', 'plan', 'uplink', 'FP32 / uplink', 'error', 'accuracy', 'against FP32', 'loss', 'training loss',
        'a megabit']

PLOT = '''set xlabel "%s"
set ylabel "accuracy"
set logscale x
set grid
set key outside right
plot %s
'''
GUESS = 0.1  # accuracy of one who guesses among ten classes


def table_lines(lines, updates, parameters):
  """Rows under HEAD."""
  reference = lines[0]
  table = []
  for line in lines:
    start = [line.codec.label, '-' if line.bits is None else f'{line.bits:g}', f'`{line.plan}`' if line.plan else '-']
    error = '-' if line.error is None else f'{line.error:.4f}'
    if line.refused:
      table.append(start + ['-', '-', error, line.refused, '-', '-', '-', '-'])
      continue
    uplink = line.uplink(updates, parameters)
    losses = [row['loss'] for row in line.rows]
    megabits = uplink * parameters * updates * len(line.rows[0]['payload_up']) / 1e6
    table.append(start + [f'{uplink:.4f}', f'{reference.uplink(updates, parameters) / uplink:.0f}', error,
                          spread(line.accuracies()), against(line, reference),
                          f'{statistics.mean(losses):.3f} ± {deviation(losses):.3f}', training_loss(line.rows),
                          f'{(line.mean() - GUESS) / megabits:.3g}'])
  return table


def training_loss(rows):
  losses = [row.get('train_loss') for row in rows]
  return '-' if None in losses else f'{statistics.mean(losses):.3f}'


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
  page.add(f'`{options}`, {parameters:,} trainable parameters, learning rate {rate:g} of {tried}, '
           f'{len(seeds)} seed{"s" if len(seeds) > 1 else ""}.')
  page.table(f'accuracy_{setting.name}', HEAD, table_lines(lines, updates, parameters))
  picture(page, f'accuracy_{setting.name}', f'{setting.label}: accuracy against uplink bits',
          'uplink, bits a parameter', by_codec(lines, lambda line: line.uplink(updates, parameters)))
  page.add('What `rdu` was built to reach, here:')
  page.table(f'goals_{setting.name}', GOALS_HEAD, goals(lines, updates, parameters))
  rows = [row for bits in setting.budgets() for row in comparison(lines, bits, updates, parameters)]
  if rows:
    page.add('rdu less each rival with the same budget, seed by seed; "within the spread": by no more than the differences\' '
             'standard deviation.')
    page.table(f'rivals_{setting.name}', ['budget', 'codec', 'rival', "rival's uplink", 'less the rival', 'it is'], rows)
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
