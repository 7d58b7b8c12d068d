"""What projecting costs beside training: the wide ResNet-9 through whole rounds, with a subspace and without."""
import statistics

from lib.figures import deviation
from lib.kept_runs import Run
from lib.simulated_run import simulate

ROUNDS, IMAGES, BATCH = 4, 500, 50
PLANS = {'fp32': 'the whole model, FP32', 'igc:d=4096': 'IGC static, d = 4,096'}

TEXT = f'''ResNet-9 of 6,568,640 parameters, one client with {IMAGES} images of CIFAR-10, batches of {BATCH}, {ROUNDS} rounds of one local
epoch, no evaluation: user and system time of the whole process, with reading the data, the session and the server's work.
A step in the subspace takes one A^T g and one A x ([subspace.md](../subspace.md) has their times). The limit asked of it: 10 % of
an epoch.'''


def runs(data, programs, folder, repeats, quick=False):
  """By plan."""
  rounds = 1 if quick else ROUNDS

  def one(plan, repeat):
    settings = {'data': data, 'model': 'resnet9', 'clients': 1, 'clients-per-round': 1, 'rounds': rounds,
                'samples': IMAGES, 'batch': BATCH, 'evaluate-every': 0, 'momentum': 0, 'learning-rate': 0.05,
                'plan': plan, 'seed': repeat}
    name = f'cost-{plan.partition(":")[0]}-{repeat}'
    return Run(name, settings, lambda: {'cpu_seconds': simulate(settings, programs, f'{folder}/{name}')['cpu_seconds']})
  return {plan: [one(plan, repeat) for repeat in range(1, repeats + 1)] for plan in PLANS}


def lines_of(rows):
  """Of the table; rows: by plan."""
  def a_round(row):
    return row['cpu_seconds'] / row['settings']['rounds']
  whole = statistics.mean(a_round(row) for row in rows['fp32'])
  lines = []
  for plan, label in PLANS.items():
    seconds = [a_round(row) for row in rows[plan]]
    lines.append([label, f'{statistics.mean(seconds):.2f} ± {deviation(seconds):.2f}',
                  f'{100 * (statistics.mean(seconds) / whole - 1):+.1f} %'])
  return lines


def section(page, rows):
  """rows: by plan."""
  page.seen([row for several in rows.values() for row in several])
  page.add(f'### What the projection costs\n\n{TEXT}')
  page.table('cost', ['plan', 'CPU s a round', 'against FP32'], lines_of(rows))
