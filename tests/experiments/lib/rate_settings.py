"""Which federations part c of ./run experiment rate runs: codecs, budgets, settings."""
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


ONCE = (('rdu-m2', 0.05), ('topk', 0.05))
REFERENCES = (('fp32', None), ('s1e3m7', None))
TWICE = tuple((name, bits) for bits in (0.05, 0.25) for name in ('rdu', 'rdu-ef', 'm22', 'topk-uniform'))


def settings(cifar, fashion, programs, folder, quick):
  """Those whose data is given."""
  short = {'rounds': 2, 'evaluate-every': 2} if quick else {}
  found = []
  if cifar:
    options = {'data': cifar, 'model': 'cifar-cnn', 'clients': 2, 'clients-per-round': 2, 'partition': 'iid',
               'samples': 8000, 'batch': 50, 'rounds': 9, 'evaluate-every': 9,
               **short, **({'samples': 400} if quick else {})}
    pairs = REFERENCES + TWICE + ONCE + (('tinyscript', 0.05), ('topk-float', 0.05), ('eden', 0.25), ('m22', 1),
                                           ('topk-uniform', 1))
    found.append(Setting('iid', 'CIFAR-10, the CNN of M22, 2 clients, IID', options, (0.005, 0.02, 0.05), pairs))
  if fashion:
    options = {'data': fashion, 'model': 'cnn', 'clients': 10, 'clients-per-round': 10, 'partition': 'dirichlet:0.3',
               'samples': 20000, 'batch': 20, 'rounds': 18, 'evaluate-every': 18,
               **short, **({'samples': 6000} if quick else {})}
    pairs = REFERENCES + TWICE + ONCE + tuple(
        (name, bits) for bits, names in ((0.01, ('rdu', 'rdu-ef')), (0.05, ('tinyscript', 'topk-float', 'eden')),
                                         (0.25, ('tinyscript', 'topk-float', 'eden')),
                                         (1, ('m22', 'topk-uniform', 'eden', 'qsgd')), (1.05, ('sign',)))
        for name in names)
    found.append(Setting('skewed', 'Fashion-MNIST, a CNN, 10 clients, Dirichlet 0.3', options, (0.005, 0.02, 0.05),
                         pairs))
  for setting in found:
    setting.programs, setting.folder = programs, folder
    if quick:
      setting.rates = setting.rates[1:2]
      setting.pairs = QUICK_PAIRS[setting.name]
  return found


QUICK_PAIRS = {
    'iid': (('fp32', None), ('rdu', 0.05), ('rdu', 0.25), ('topk-uniform', 0.25)),
    'skewed': (('fp32', None), ('rdu', 0.05), ('rdu-ef', 0.05), ('m22', 0.05), ('topk-uniform', 0.05), ('topk', 0.05),
               ('rdu', 0.25), ('topk-uniform', 0.25)),
}
