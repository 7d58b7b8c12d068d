"""Parts c1 and c2 of ./run experiment rate: whole federations whose updates go through codecs under budgets."""
import dataclasses
import math
import os
import statistics

from lib import rate_curves
from lib.rate_nets import Net, loss_of, making_run
from lib.rate_settings import CODECS, Codec

MANIFEST_BITS = 1216  # of a payload with one tensor


def entries_for(bits, parameters):
  """K of top-K + S1E3M7 for about so many bits a parameter: of a payload without buffers, 11 for a value, and for a
  position what a Rice code takes."""
  budget, k = bits * parameters - MANIFEST_BITS, 1
  while (k + 1) * (11 + math.log2(parameters / (k + 1)) + 1.5) <= budget:
    k += 1
  return k


def updates_net(setting):
  """The net of a setting as part b makes its updates: those of the FP32 federation."""
  options = {name: value for name, value in setting.options.items() if name not in ('data', 'rounds', 'evaluate-every')}
  options['learning-rate'] = setting.rates[len(setting.rates) // 2]
  return Net('updates-' + setting.name, setting.label, '', options)


class Measured:
  """Errors of all candidates on a setting's updates, at its budgets; rows by candidate."""

  def __init__(self, rows):
    self.rows = rows
    self.parameters = next(iter(rows.values()))['parameters']

  def error(self, candidate, bits, exponent=0):
    """Geometric mean over updates of the relative error; None if one has no string that short."""
    points = [[point['distortion'][exponent] for point in its if point['asked'] == bits]
              for its in self.rows[candidate]['updates'].values()]
    return statistics.geometric_mean(found[0] for found in points) if all(points) else None

  def best(self, codec, bits):
    """(candidate, its error at M = 0), the one with the least error in the codec's own M; None, None if there is none."""
    found = [(error, candidate) for candidate in codec.candidates
             if (error := self.error(candidate, bits, codec.exponent)) is not None]
    if not found:
      return None, None
    candidate = min(found)[1]
    return candidate, self.error(candidate, bits)


def measure(setting, kept, jobs):
  """Makes updates of the setting and measures every codec on them."""
  net = updates_net(setting)
  folder = os.path.join(setting.folder, 'updates')
  rounds = setting.options['rounds']
  making = making_run(net, setting.options['data'], setting.programs, folder, sorted({1, (rounds + 1) // 2, rounds}))
  if not os.path.isdir(os.path.join(folder, net.name)):
    kept.forget(making)
  kept.all([making], 1, loss_of)
  texts = sorted({text for name, _ in setting.pairs for text in CODECS[name].candidates})
  runs = {text: rate_curves.measuring_run(text, os.path.join(folder, net.name), setting.programs, setting.budgets(),
                                          making.settings) for text in texts}
  rows = kept.all(list(runs.values()), jobs, lambda row: row['codec'])
  return Measured({text: rows[run.name] for text, run in runs.items()})


def plan_of(pair, measured):
  """(plan, relative error at M = 0 or None); the plan is None if no setting of the codec has a string that short."""
  name, bits = pair
  codec = CODECS[name]
  if name == 'topk':
    return f'topk:k={entries_for(bits, measured.parameters)},value=s1e3m7', None
  if not codec.candidates:
    return codec.plan, None
  candidate, error = measured.best(codec, bits)
  return (candidate.replace('bits=1', f'bits={bits:g}') + codec.suffix, error) if candidate else (None, None)


def chosen_rate(setting, kept, jobs):
  """The rate with which FP32 ends best, of the first seed; it is all codecs'."""
  runs = {rate: setting.run('fp32', rate, 1) for rate in setting.rates}
  rows = kept.all(list(runs.values()), jobs, say)
  return max(setting.rates, key=lambda rate: rows[runs[rate].name].get('accuracy', 0)), rows.values()


def say(row):
  return f"accuracy {row['accuracy']:.4f}" if 'accuracy' in row else why_not(row)


def why_not(row):
  """Why a run has no accuracy, or ''."""
  return row.get('failed') or ('refused: ' + row['refused'] if 'refused' in row else '')


@dataclasses.dataclass
class Line:
  """A codec at a budget: its plan, what it did to real updates, and rows by seed; or why it has none."""
  codec: Codec
  bits: float
  plan: str
  error: float
  rows: list
  refused: str = ''

  def accuracies(self):
    return [row['accuracy'] for row in self.rows]

  def mean(self):
    return statistics.mean(self.accuracies())

  def uplink(self, updates, parameters):
    """Bits a parameter that travelled up for an update, everything included, from the second round on: with the first
    one the initial weights went up."""
    sent = [size for row in self.rows for size in row['payload_up'][1:]]
    return 8 * statistics.mean(sent) / updates / parameters


def run_setting(setting, kept, jobs, seeds):
  """(lines, rate, measured, all rows) of a setting."""
  measured = measure(setting, kept, jobs)
  rate, tuning = chosen_rate(setting, kept, jobs)
  plans = {pair: plan_of(pair, measured) for pair in setting.pairs}
  runs = {(pair, seed): setting.run(plan, rate, seed) for pair, (plan, _) in plans.items() if plan for seed in seeds}
  for run in runs.values():
    row = kept.find(run)
    if row is not None and 'refused' in row:
      kept.forget(run)  # a refusal takes no time, and programs change
  rows = kept.all(list(runs.values()), jobs, say)
  lines = []
  for pair, (plan, error) in plans.items():
    mine = [rows[runs[pair, seed].name] for seed in seeds] if plan else []
    refused = next((why_not(row) for row in mine if why_not(row)), '') if plan else 'no string is that short'
    lines.append(Line(CODECS[pair[0]], pair[1], plan, error, [] if refused else mine, refused))
  return lines, rate, measured, [*rows.values(), *tuning, *measured.rows.values()]
