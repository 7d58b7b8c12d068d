"""What part d of ./run experiment rate says."""
from lib.rate_link import PLANS, first_with

TITLE = 'Time to an accuracy over thin links'
TEXT = '''A server and clients as processes, each client in a network namespace of its own with a link of its own to the server's, held
to the rate in both directions (tbf). Time runs from the clients' start and ends when the first version with the accuracy
is published; training, the upload of initial weights in FP32 and everything else is in it. Bytes are all that the
interfaces of these links sent, headers, acknowledgements and heartbeats included; part of the next download may be among
them. The evaluator stands beside the server. Under rdu models go down in S1E3M7, as under S1E3M7. One run each: with
the same plan the model does not depend on the link.'''

HEAD = ['link, kbit/s', 'plan', 'time to the accuracy', 'against FP32', 'rounds', 'accuracy then', 'down MB', 'up MB',
        'seconds a round']
PLOT = '''set xlabel "seconds"
set ylabel "accuracy"
set logscale x
set grid
set key outside right
plot %s
'''


def line(kbits, plan, row, reference, settings):
  """A row under HEAD. `reference`: FP32's row on this link."""
  versions = {int(version): its for version, its in row['published'].items()}
  reached = first_with(row['published'], settings['accuracy'])
  if reached is None:
    accuracies = [its[3] for its in versions.values() if its[3] is not None]
    best = f'at most {max(accuracies):.4f}' if accuracies else 'none measured'
    why = f"not within {settings['limit'] / 60:g} min" if max(versions, default=0) < settings['rounds'] else (
        f"not within {settings['rounds']} rounds")
    return [kbits, plan, why, '-', max(versions, default=0), best, megabytes(row['down']), megabytes(row['up']),
            a_round(versions)]
  base = first_with(reference['published'], settings['accuracy'])
  rounds = next(version for version, its in versions.items() if its is reached)
  return [kbits, plan, f'{reached[0]:.0f} s', f'{base[0] / reached[0]:.1f} times as fast' if base else '-', rounds,
          f'{reached[3]:.4f}', megabytes(reached[1]), megabytes(reached[2]), a_round(versions)]


def megabytes(size):
  return f'{size / 1e6:.3f}'


def a_round(versions):
  """Mean seconds from version to version; the initial weights are the first one."""
  times = [its[0] for _, its in sorted(versions.items())]
  return f'{(times[-1] - times[0]) / (len(times) - 1):.1f}' if len(times) > 1 else '-'


def section(page, rows, settings):
  """rows: by (kbit/s, plan)."""
  options = ', '.join(f'{name} {value}' for name, value in settings.items() if name not in ('data', 'limit'))
  page.add(f"Fashion-MNIST: {options}. The limit is {settings['limit'] / 60:g} min a run.")
  page.table('link', HEAD, [line(kbits, plan, row, rows[kbits, 'FP32'], settings) for (kbits, plan), row in rows.items()])
  slow = min(kbits for kbits, _ in rows)
  points = {plan: [(its[0], its[3]) for its in row['published'].values() if its[3] is not None]
            for (kbits, plan), row in rows.items() if kbits == slow}
  points = {plan: its for plan, its in points.items() if its}
  if points:
    names = {plan: f'plan{number}' for number, plan in enumerate(PLANS)}
    curves = ', \\\n  '.join(f'${names[plan]} using 1:2 with linespoints title "{plan}"' for plan in points)
    page.picture('link', f'Accuracy against time at {slow} kbit/s', PLOT % curves,
                 {names[plan]: its for plan, its in points.items()})
