"""Which federations parts c1 and c2 of ./run experiment rate runs: codecs, budgets, settings."""
import dataclasses
import os

from lib.kept_runs import Run, file_name
from lib.simulated_run import FailedFederation, RefusedBudget, simulated_run

VALUE_BITS = (1, 2, 3, 4, 5, 6)  # bits of a kept entry, of which the best is taken


@dataclasses.dataclass
class Codec:
  """A way to code updates. `candidates`: texts with the budget bits=1, the best of which is taken at each budget by its
  error on real updates; none: `plan` is what travels up and down. `exponent`: index of the error's M."""
  name: str
  label: str
  candidates: tuple = ()
  plan: str = ''
  suffix: str = ''
  exponent: int = 0


CODECS = {codec.name: codec for codec in (
    Codec('fp32', 'FP32', plan='fp32'),
    Codec('s1e3m7', 'S1E3M7', plan='s1e3m7'),
    Codec('rdu', 'rdu', ('rdu:bits=1',)),
    Codec('rdu-ef', 'rdu, error feedback', ('rdu:bits=1',), suffix=',decay=1'),
    Codec('rdu-m2', 'rdu, M = 2', ('rdu:bits=1,m=2',), exponent=2),
    Codec('m22', 'M22, M = 2', tuple(f'm22:bits=1,r={r},m=2' for r in VALUE_BITS), exponent=2),
    Codec('tinyscript', 'TINYSCRIPT', tuple(f'tinyscript:bits=1,r={r}' for r in VALUE_BITS)),
    Codec('topk-uniform', 'top-K + uniform', tuple(f'topk-uniform:bits=1,r={r}' for r in VALUE_BITS)),
    Codec('topk-uniform-ef', 'top-K + uniform, error feedback', tuple(f'topk-uniform:bits=1,r={r}' for r in VALUE_BITS),
          suffix=',decay=1'),
    Codec('topk-float', 'top-K + FP8 or FP4', tuple(f'topk-float:bits=1,format={form}'
                                                    for form in ('s1e5m2', 's1e4m3', 's1e2m1'))),
    Codec('sign', 'sign', ('sign:bits=1',)),
    Codec('qsgd', 'QSGD, 512', ('qsgd:bits=1,bucket=512',)),
    Codec('eden', 'EDEN', ('eden:bits=1',)),
    Codec('topk', 'top-K + S1E3M7, error feedback'),
)}


@dataclasses.dataclass
class Setting:
  """A federation; `options` are thinwire-simulate's. `rates` are tried by FP32 with the first seed; `pairs`: (codec's
  name, bits a parameter or None)."""
  name: str
  label: str
  options: dict
  rates: tuple
  pairs: tuple
  programs: str = ''
  folder: str = ''

  def run(self, plan, rate, seed):
    settings = {**self.options, 'plan': plan, 'learning-rate': rate, 'seed': seed}
    name = file_name(f'{self.name}-{plan}-{rate}-{seed}').replace(',', '_').replace('=', '')
    whole = simulated_run(name, settings, self.programs, os.path.join(self.folder, 'states'))

    def work():
      try:
        return whole.work()
      except RefusedBudget as refused:
        return {'refused': str(refused)}
      except FailedFederation as failed:
        return {'failed': str(failed)}
    return Run(name, settings, work)

  def budgets(self):
    return sorted({bits for _, bits in self.pairs if bits is not None})


LOW = tuple((name, 0.05) for name in ('rdu', 'rdu-ef', 'm22', 'tinyscript', 'topk-uniform', 'topk-uniform-ef',
                                      'topk-float', 'eden', 'topk'))
MIDDLE = tuple((name, 0.25) for name in ('rdu', 'rdu-ef', 'm22', 'topk-uniform', 'topk-uniform-ef'))
HIGH = (('topk-uniform-ef', 1.25),)  # five times the bits above
COMMON = (('fp32', None),) + LOW + MIDDLE + HIGH
RATES = (0.002, 0.005, 0.02, 0.05)


def paper_setting(cifar, quick):
  """That of M22 (Liu et al. 2023): its CNN, CIFAR-10, 2 clients, 10 rounds. There, but not here: all 50,000 pictures, 3
  epochs a round, Adam."""
  options = {'data': cifar, 'model': 'cifar-cnn', 'clients': 2, 'clients-per-round': 2, 'partition': 'iid',
             'samples': 5000, 'batch': 32, 'rounds': 10, 'evaluate-every': 10}
  if quick:
    options.update({'samples': 400, 'rounds': 2, 'evaluate-every': 2})
  return Setting('iid', 'CIFAR-10, the CNN of M22, 2 clients, IID', options, RATES, COMMON + (('rdu-ef', 0.5),))


def harder_setting(fashion, quick):
  """Many clients with few classes each."""
  options = {'data': fashion, 'model': 'cnn', 'clients': 10, 'clients-per-round': 10, 'partition': 'dirichlet:0.3',
             'samples': 15000, 'batch': 20, 'rounds': 12, 'evaluate-every': 12}
  if quick:
    options.update({'samples': 6000, 'rounds': 2, 'evaluate-every': 2})
  pairs = COMMON + (('s1e3m7', None), ('rdu-ef', 0.02), ('rdu-m2', 0.05), ('rdu', 0.1), ('rdu-ef', 0.1),
                    ('topk-uniform', 0.1), ('topk-uniform-ef', 0.1), ('eden', 0.25), ('topk-uniform-ef', 0.5), ('eden', 1),
                    ('qsgd', 1), ('sign', 1.05))
  return Setting('skewed', 'Fashion-MNIST, a CNN, 10 clients, Dirichlet 0.3', options, RATES + (0.1,), pairs)


def setting_of(part, data, programs, folder, quick):
  """The federation of part c1 or c2."""
  setting = {'c1': paper_setting, 'c2': harder_setting}[part](data, quick)
  setting.programs, setting.folder = programs, folder
  if quick:
    setting.rates = setting.rates[1:2]
    setting.pairs = QUICK_PAIRS[setting.name]
  return setting


QUICK_PAIRS = {
    'iid': (('fp32', None), ('rdu', 0.05), ('rdu', 0.25), ('topk-uniform', 0.25)),
    'skewed': (('fp32', None), ('rdu', 0.05), ('rdu-ef', 0.05), ('m22', 0.05), ('topk-uniform', 0.05), ('topk', 0.05),
               ('rdu', 0.25), ('topk-uniform', 0.25)),
}
