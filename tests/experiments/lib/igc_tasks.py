"""Which federations ./run experiment igc runs: tasks, methods and the rates that are tried for each."""
import dataclasses
import os

from lib.kept_runs import file_name
from lib.simulated_run import simulated_run


@dataclasses.dataclass
class Method:
  """A plan with what belongs to it. `options` go before the task's."""
  name: str
  label: str
  plan: str
  options: dict = dataclasses.field(default_factory=dict)
  subspace: bool = False  # which of a task's lists of rates
  tuned_like: str = ''    # takes the rate that was best for this method, instead of trying all,
  scale: float = 1        # times this


@dataclasses.dataclass
class Task:
  """A data set with its federation; `options` are thinwire-simulate's. `rates` are tried for plans of the whole model,
  `subspace_rates` for those of a subspace."""
  name: str
  label: str
  options: dict
  rates: tuple
  subspace_rates: tuple
  programs: str = ''
  folder: str = ''

  def run(self, method, rate, seed):
    settings = {**self.options, **method.options, 'plan': method.plan, 'learning-rate': rate, 'seed': seed}
    name = file_name(f'{self.name}-{method.name}-{rate}-{seed}')
    return simulated_run(name, settings, self.programs, os.path.join(self.folder, 'states'))

  def rates_of(self, method):
    return self.subspace_rates if method.subspace else self.rates


def best_rate(task, method, methods, rows):
  """The one whose first seed ended with the lowest loss; rows by run name."""
  if method.tuned_like:
    like = next(other for other in methods if other.name == method.tuned_like)
    return method.scale * best_rate(task, like, methods, rows)
  return min(task.rates_of(method), key=lambda rate: rows[task.run(method, rate, 1).name]['loss'])


def rivals(options, local, sparse, sketch):
  """Plans of the whole model, in a federation of `options`. `local`: samples of a client or more, for one step a round;
  `sketch`: rows, columns."""
  fewer = {'epochs': 4, 'rounds': options['rounds'] // 4, 'evaluate-every': options['evaluate-every'] // 4}
  return [
      Method('fedsgd', 'FedSGD, one step a round', 'fp32', {'batch': local}),
      Method('fedavg', 'FedAvg', 'fp32'),
      Method('fedavg4', 'FedAvg, 4 epochs, a quarter of the rounds', 'fp32', fewer, tuned_like='fedavg'),
      *sparse_rivals(local, sparse, sketch),
      *sparse_rivals(local, sparse // 4, (sketch[0], sketch[1] // 4), 'small'),
  ]


def sparse_rivals(local, sparse, sketch, size=''):
  """Top-k and FetchSGD; those of another size take the rates of these."""
  like = (lambda name: name) if size else (lambda name: '')
  rows, columns = sketch
  return [
      Method('topk' + size, f'local top-k, k = {sparse:,}', f'topk:k={sparse}', tuned_like=like('topk')),
      Method('fetchsgd' + size, f'FetchSGD, {rows} x {columns:,}, k = {sparse:,}',
             f'fetchsgd:rows={rows},columns={columns},k={sparse}', {'batch': local}, tuned_like=like('fetchsgd')),
  ]


def subspaces(dimension, epoch, vectors):
  """Plans of intrinsic gradient compression."""
  return [
      Method('static', f'IGC static, d = {dimension:,}', f'igc:d={dimension}', subspace=True),
      like_static('varying', f'IGC time-varying, E = {epoch}', f'igc:d={dimension},epoch={epoch}'),
      like_static('k', f'IGC K = {vectors}', f'igc:d={dimension},k={vectors}'),
      like_static('bits4', 'IGC static, 4 bits', f'igc:d={dimension},value=s1e2m1/64'),
  ]


def like_static(name, label, plan, options=None, scale=1.0):
  return Method(name, label, plan, options or {}, subspace=True, tuned_like='static', scale=scale)


def studies(dimension, epoch, options, local, methods):
  """By name: a title, what it says, and methods that take static's rate; those of `methods` that belong there are not
  run again. Bytes of K vectors at once are those of a dimension K times as large."""
  static, _, _, bits4 = (method for method in methods if method.subspace)
  quarter = dimension // 4
  small = like_static(f'd{quarter}', f'd = {quarter:,}', f'igc:d={quarter}', scale=4.0)
  half = {'epochs': 2, 'rounds': options['rounds'] // 2, 'evaluate-every': max(1, options['evaluate-every'] // 2)}

  def of_dimension(factor):
    d = int(dimension * factor)
    return like_static(f'd{d}', f'd = {d:,}', f'igc:d={d}', scale=1 / factor)

  def of_vectors(k, e):
    return like_static(f'k{k}e{e}', f'K = {k}, ' + (f'E = {e}' if e else 'one epoch'),
                       f'igc:d={quarter},k={k}' + (f',epoch={e}' if e else ''), scale=4.0)
  return {
      'd': ('d against accuracy', 'The rate goes with 1 / d: the step of a coordinate is the same.',
            [of_dimension(1 / 16), small, static, of_dimension(4)]),
      'k_e': ('K and E against accuracy', f'Vectors of {quarter:,} at once, and versions to an epoch.',
              [small, of_vectors(1, epoch), of_vectors(4, 0), of_vectors(4, epoch)]),
      'steps': ('Local steps', 'One step of all samples of a client, one epoch, two with half the rounds.',
                [like_static('one_step', 'one step a round', f'igc:d={dimension}', {'batch': local}), static,
                 like_static('two_epochs', 'two epochs, half the rounds', f'igc:d={dimension}', half)]),
      'bits': ('Bits of a coordinate', 'Codec of both directions.',
               [static, like_static('bits8', 'S1E3M4, scales for 64', f'igc:d={dimension},value=s1e3m4/64'), bits4,
                like_static('bits3', 'S1E2M0, scales for 64', f'igc:d={dimension},value=s1e2m0/64')]),
  }
