"""The images part of ./run experiment omc: from scratch, server and clients as processes, bytes counted on the wire."""
import os
import statistics

from lib.figures import deviation, spread
from lib.kept_runs import file_name
from lib.local_run import local_run

FORMATS = [
    ('FP32', 'fp32'),
    ('S1E3M7', 's1e3m7:pow2/4096+weights+partial=0.1'),
    ('8 bits: S1E2M5, scales for 64', 's1e2m5:pow2/64+weights'),
    ('6 bits: S1E2M3, scales for 64', 's1e2m3:pow2/64+weights'),
    ('4 bits: S1E2M1, scales for 64', 's1e2m1:pow2/64+weights'),
]
HEAD = ['data, model', 'weights and payloads', 'accuracy', 'against FP32', 'down / FP32', 'up / FP32', 'down wire MB',
        'up wire MB', "clients' peak resident MB", "clients' CPU s"]


class Images:
  """One data set with its federation; `options` are thinwire-local's."""

  def __init__(self, label, name, options, programs, folder):
    self.label, self.name, self.options, self.programs, self.folder = label, name, options, programs, folder

  def run(self, codec, seed):
    settings = dict(self.options, plan=codec, weights='full' if codec == 'fp32' else 'packed', seed=seed)
    name = file_name(f'{self.name}-{codec}-{seed}')
    return local_run(name, settings, self.programs, os.path.join(self.folder, 'states'))

  def lines(self, rows_of, seeds):
    """Rows under HEAD; rows_of(run) is the kept row."""
    table, reference = [], None
    for name, codec in FORMATS:
      rows = [rows_of(self.run(codec, seed)) for seed in seeds]
      accuracies = [row['accuracy'] for row in rows]
      reference = reference or accuracies
      differences = [mine - its for mine, its in zip(accuracies, reference)]
      cells = [self.label, name, spread(accuracies),
               '-' if codec == 'fp32' else f'{statistics.mean(differences):+.4f} ± {deviation(differences):.4f}']
      for direction in ('down', 'up'):
        cells.append(f"{100 * sum(row['trainers'][direction]['payload'] for row in rows) / sum(row['trainers'][direction]['fp32_payload'] for row in rows):.1f} %")
      for direction in ('down', 'up'):
        cells.append(f"{statistics.mean(row['trainers'][direction]['wire'] for row in rows) / 1e6:.1f}")
      cells += [f"{max(row['clients']['peak_rss_bytes'] for row in rows) / 1e6:.0f}",
                f"{statistics.mean(row['clients']['cpu_seconds'] for row in rows):.0f}"]
      table.append(cells)
    return table
