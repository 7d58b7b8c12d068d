"""Answers that are read off the lines of parts c1 and c2 of ./run experiment rate."""
from lib.figures import paired_difference, rank_correlation

POINT = 0.01  # "one point" of accuracy
REFERENCES = ('fp32', 's1e3m7')
RDU = ('rdu', 'rdu-ef')


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
  """rdu, and rdu with error feedback, against every rival with this budget: rows of budget, label, rival, its uplink,
  difference, verdict."""
  return [[f'{bits:g}', mine.codec.label, line.codec.label, f'{line.uplink(updates, parameters):.4f}', against(mine, line),
           verdict(mine, line)]
          for mine in lines if mine.codec.name in RDU and mine.bits == bits and not mine.refused
          for line in _rivals(lines) if line.bits == bits]


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


GOALS_HEAD = ['target', 'figure', 'met']


def goals(lines, updates, parameters):
  """Rows under GOALS_HEAD: what rdu was built to reach, of the budgets that were run."""
  rows = []
  for bits, target, good in ((0.05, 'above every rival at 0.05 bits, by more than the spread', ('above',)),
                             (0.25, 'below no rival at 0.25 bits, beyond the spread', ('above', 'within the spread'))):
    for name in RDU:
      rows.extend(_against_rivals(name, bits, target, good, lines))
  least = least_uplinks(lines, updates, parameters)
  rivals = {line.codec.label for line in _rivals(lines)}
  for factor, target, labels in ((5, 'top-K + uniform', {each for each in rivals if each.startswith('top-K + uniform')}),
                                 (2, 'the best rival', rivals)):
    rows.append([f'within a point of FP32 with {factor} times fewer bits than {target}',
                 *_fewer(least, labels, factor, lines, updates, parameters)])
  return rows


def _against_rivals(name, bits, target, good, lines):
  mine = next((line for line in lines if line.codec.name == name and line.bits == bits and not line.refused), None)
  verdicts = {line.codec.label: verdict(mine, line) for line in _rivals(lines) if mine and line.bits == bits}
  if not verdicts:
    return []
  short = [f'{label} ({word})' for label, word in verdicts.items() if word not in good]
  return [[f'{mine.codec.label}: {target}',
           f'{len(verdicts) - len(short)} of {len(verdicts)}' + (f"; not: {', '.join(short)}" if short else ''),
           'no' if short else 'yes']]


def _rivals(lines):
  return [line for line in lines if not line.refused and line.codec.name not in RDU + REFERENCES + ('rdu-m2',)]


def _fewer(least, labels, factor, lines, updates, parameters):
  """(figure, met): how many times fewer bits rdu needs, with error feedback or without, than the best of these labels, or
  than the most they were given."""
  mine = min((least[line.codec.label] for line in lines if line.codec.name in RDU and least.get(line.codec.label)),
             default=None)
  if mine is None:
    return 'rdu came within a point at no budget that was run', 'no'
  reached = [least[label] for label in labels if least.get(label) is not None]
  if reached:
    ratio = min(reached) / mine
    return f'{ratio:.1f} times ({mine:.4f} and {min(reached):.4f})', 'yes' if ratio >= factor else 'no'
  most = max((line.uplink(updates, parameters) for line in _rivals(lines) if line.codec.label in labels), default=0)
  return (f'more than {most / mine:.1f} times ({mine:.4f}; none of {most:.4f} or less came within a point)',
          'yes' if most / mine >= factor else 'not shown')
