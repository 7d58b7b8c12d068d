"""Part b of ./run experiment rate: updates of other nets, as clients make them before any codec."""
import dataclasses
import os
import shutil

from lib.kept_runs import Run
from lib.simulated_run import simulate


@dataclasses.dataclass
class Net:
  """A net with the federation that trains it; `options` are thinwire-simulate's."""
  name: str
  label: str
  source: str  # the option of this experiment that gives its data
  options: dict
  index: str = ''  # file in the data's folder


CIFAR = {'clients': 10, 'clients-per-round': 2, 'partition': 'dirichlet:0.3', 'samples': 10000, 'batch': 20}
NETS = [
    Net('cifar-cnn', 'the CNN of M22 on CIFAR-10', 'cifar', {**CIFAR, 'model': 'cifar-cnn', 'learning-rate': 0.02}),
    Net('resnet9-narrow', 'a narrow ResNet-9 on CIFAR-10', 'cifar',
        {**CIFAR, 'model': 'resnet9-narrow', 'learning-rate': 0.02}),
    Net('transformer-xs', 'a transformer on SST-2', 'sst2',
        {'task': 'text', 'model': 'transformer-xs', 'clients': 10, 'clients-per-round': 2, 'partition': 'dirichlet:0.3',
         'samples': 10000, 'batch': 16, 'learning-rate': 0.3, 'momentum': 0}),
    Net('conformer-xs', 'a Conformer on AN4', 'an4',
        {'task': 'speech', 'model': 'conformer-xs', 'clients': 10, 'clients-per-round': 2, 'partition': 'speaker',
         'batch': 8, 'learning-rate': 0.001}, 'index.tsv'),
]
QUICK_SAMPLES = 400


def rounds_of(quick):
  return (1, 2) if quick else (1, 8, 24)


def making_run(net, data, programs, folder, rounds, quick=False):
  """The run that leaves the updates of the first client of these rounds in folder/NAME; the row: `loss` of each."""
  settings = {**net.options, 'rounds': max(rounds), 'plan': 'fp32', 'seed': 1, 'evaluate-every': 0,
              'data': os.path.join(data, net.index) if net.index else data}
  if quick:
    settings['samples'] = QUICK_SAMPLES

  def work():
    fresh = os.path.join(folder, net.name + '.new')
    shutil.rmtree(fresh, ignore_errors=True)
    result = simulate({**settings, 'keep-updates': fresh}, programs, os.path.join(folder, net.name + '.state'))
    keep_first(fresh, rounds)
    shutil.rmtree(os.path.join(folder, net.name), ignore_errors=True)
    os.rename(fresh, os.path.join(folder, net.name))
    return {'loss': [result['rounds'][number - 1]['train_loss'] for number in rounds],
            'cpu_seconds': result['cpu_seconds']}
  return Run('updates-of-' + net.name, {**settings, 'kept': list(rounds)}, work)


def loss_of(row):
  return f"training loss {row['loss'][0]:.3f} to {row['loss'][-1]:.3f}"


def keep_first(folder, rounds):
  """Leaves one update of each of these rounds, of the client with the least number."""
  files = sorted((name for name in os.listdir(folder) if name.endswith('.npy')), key=round_and_client)
  stay = set()
  for wanted in rounds:
    stay.add(next(name for name in files if round_and_client(name)[0] == wanted))
  for name in files:
    if name not in stay:
      os.remove(os.path.join(folder, name))


def round_and_client(name):
  """(8, 3) of 'r08_c3.npy'."""
  first, second = name.removesuffix('.npy').split('_')
  return int(first[1:]), int(second[1:])


def make(nets, given, kept, programs, folder, jobs, quick):
  """Folders by net's name, with the rows of the runs that made them."""
  runs = {net.name: making_run(net, given[net.source], programs, folder, rounds_of(quick), quick)
          for net in nets}
  for name, run in runs.items():
    if not os.path.isdir(os.path.join(folder, name)):
      kept.forget(run)
  rows = kept.all(list(runs.values()), jobs, loss_of)
  return {name: (os.path.join(folder, name), rows[run.name]) for name, run in runs.items()}
