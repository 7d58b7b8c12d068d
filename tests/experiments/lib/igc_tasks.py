"""Which federations ./run experiment igc runs: tasks, methods and the rates that are tried for each."""
import dataclasses
import math
import os

from lib.kept_runs import Run, file_name
from lib.simulated_run import FailedFederation, simulated_run


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
  most_rates: int = 6

  def run(self, method, rate, seed):
    settings = {**self.options, **method.options, 'plan': method.plan, 'learning-rate': rate, 'seed': seed}
    name = file_name(f'{self.name}-{method.name}-{rate}-{seed}')
    return with_divergence(simulated_run(name, settings, self.programs, os.path.join(self.folder, 'states')))

  def rates_of(self, method):
    """Those that are tried at first."""
    return self.subspace_rates if method.subspace else self.rates


def with_divergence(run):
  """A federation that failed, as one of too high a rate does, is a result, too: an infinite loss."""
  def work():
    try:
      return run.work()
    except FailedFederation as error:
      return {'accuracy': math.nan, 'loss': math.inf, 'failed': str(error)}
  return Run(run.name, run.settings, work)


def rates_to_try(task, method, rows):
  """In ascending order: the first ones, then, as long as the lowest loss is at an end, one beyond it, three times as far.
  Those without a row are to be run, with the first seed; rows by run name."""
  rates = sorted(task.rates_of(method))

  def loss(rate):
    return rows[task.run(method, rate, 1).name]['loss']
  while len(rates) < task.most_rates and all(task.run(method, rate, 1).name in rows for rate in rates):
    best = min(rates, key=loss)
    if best == rates[-1]:
      rates.append(float(f'{3 * best:.2g}'))
    elif best == rates[0]:
      rates.insert(0, float(f'{best / 3:.2g}'))
    else:
      break
  return rates


def best_rate(task, method, methods, rows, seeds):
  """The one whose first seed ended with the lowest loss, of those that failed with none of the seeds that they were run
  with; rows by run name."""
  if method.tuned_like:
    like = next(other for other in methods if other.name == method.tuned_like)
    return method.scale * best_rate(task, like, methods, rows, seeds)

  def failed(rate):
    return any('failed' in rows.get(task.run(method, rate, seed).name, {}) for seed in seeds)
  tried = [rate for rate in rates_to_try(task, method, rows) if task.run(method, rate, 1).name in rows]
  return min(tried, key=lambda rate: (failed(rate), rows[task.run(method, rate, 1).name]['loss']))


def rivals(options, sparse, sketch):
  """Plans of the whole model, in a federation of `options`. sparse: numbers k of top-k, the first one that of the larger
  sketch, the second that of the smaller; `sketch`: rows, columns."""
  fewer = {'epochs': 4, 'rounds': options['rounds'] // 4, 'evaluate-every': max(1, options['evaluate-every'] // 4)}
  rows, columns = sketch
  return [
      Method('fedsgd', 'FedSGD, one step a round', 'fp32', one_step(options)),
      Method('fedavg', 'FedAvg', 'fp32'),
      Method('fedavg4', 'FedAvg, 4 epochs, a quarter of the rounds', 'fp32', fewer, tuned_like='fedavg'),
      Method('topk', f'local top-k, k = {sparse[0]:,}', f'topk:k={sparse[0]}'),
      *(Method(f'topk{k}', f'local top-k, k = {k:,}', f'topk:k={k}') for k in sparse[1:]),
      Method('topk_coded', f'local top-k, k = {sparse[1]:,}, values in S1E3M7', f'topk:k={sparse[1]},value=s1e3m7',
             tuned_like=f'topk{sparse[1]}'),
      Method('fetchsgd', f'FetchSGD, {rows} x {columns:,}, k = {sparse[0]:,}, no momentum',
             f'fetchsgd:rows={rows},columns={columns},k={sparse[0]},momentum=0'),
      Method('fetchsgd_small', f'FetchSGD, {rows} x {columns // 10:,}, k = {sparse[1]:,}, no momentum',
             f'fetchsgd:rows={rows},columns={columns // 10},k={sparse[1]},momentum=0'),
      # As its paper has it.
      Method('fetchsgd1', f'FetchSGD, {rows} x {columns:,}, k = {sparse[0]:,}, momentum 0.9, one step a round',
             f'fetchsgd:rows={rows},columns={columns},k={sparse[0]}', one_step(options)),
  ]


def one_step(options):
  """All samples of a client in one batch, however many it has."""
  return {'batch': options['samples']}


def subspaces(dimension, epoch, vectors):
  """Plans of intrinsic gradient compression."""
  return [
      Method('static', f'IGC static, d = {dimension:,}', f'igc:d={dimension}', subspace=True),
      like_static('varying', f'IGC time-varying, E = {epoch}', f'igc:d={dimension},epoch={epoch}'),
      like_static('k', f'IGC K = {vectors}', f'igc:d={dimension},k={vectors}'),
      like_static('bits4', 'IGC static, 4 bits', f'igc:d={dimension},value=s1e2m1/64'),
      like_static('wide', f'IGC static, d = {4 * dimension:,}, 4 bits', f'igc:d={4 * dimension},value=s1e2m1/64',
                  scale=1 / 4),
  ]


def like_static(name, label, plan, options=None, scale=1.0):
  return Method(name, label, plan, options or {}, subspace=True, tuned_like='static', scale=scale)


def studies(dimension, epoch, options, methods):
  """By name: a title, what it says, and methods that take static's rate, but for those of other steps, which are tuned;
  those of `methods` that belong there are not run again. Bytes of K vectors at once are those of a dimension K times as
  large."""
  static, bits4 = (next(method for method in methods if method.name == name) for name in ('static', 'bits4'))
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
            [small, static, of_dimension(4)]),
      'k_e': ('K and E against accuracy', f'Vectors of {quarter:,} at once, and versions to an epoch.',
              [small, of_vectors(1, epoch), of_vectors(4, 0), of_vectors(4, epoch)]),
      'steps': ('Local steps', 'One step of all samples of a client, one epoch, two with half the rounds.',
                [Method('one_step', 'one step a round', f'igc:d={dimension}', one_step(options), subspace=True), static,
             Method('two_epochs', 'two epochs, half the rounds', f'igc:d={dimension}', half, subspace=True)]),
      'bits': ('Bits of a coordinate', 'Codec of both directions.',
               [static, like_static('bits8', 'S1E3M4, scales for 64', f'igc:d={dimension},value=s1e3m4/64'), bits4,
                like_static('bits3', 'S1E2M0, scales for 64', f'igc:d={dimension},value=s1e2m0/64')]),
  }
