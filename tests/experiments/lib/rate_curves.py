"""Bits against error of update codecs, from what thinwire-update-rates prints."""
import json
import math
import os
import subprocess

from lib.kept_runs import Run, file_name

# Budgets, bits a parameter.
BUDGETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 0.75, 1, 1.5, 2, 3)


def measuring_run(codec, folder, programs, budgets=BUDGETS, made=None):
  """One codec over all updates of a folder, as a run whose result is kept. `made`: settings of the run that made the
  folder; with others it is measured again."""
  name = os.path.basename(os.path.abspath(folder))
  rates = ','.join(map(str, budgets))

  def work():
    command = [os.path.join(programs, 'thinwire-update-rates'), f'--updates={folder}', f'--codec={codec}',
               f'--rates={rates}']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
      raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)
  settings = {'updates': folder, 'codec': codec, 'rates': rates, **({'made': made} if made else {})}
  return Run(file_name(f'{name}-{codec}').replace(',', '_').replace('=', ''), settings, work)


def hull(points):
  """The lower convex hull of (rate, log error), up to its least error: what a choice of settings can have."""
  corners = []
  for point in sorted(points):
    while len(corners) >= 2 and _turn(corners[-2], corners[-1], point) <= 0:
      corners.pop()
    corners.append(point)
  while len(corners) >= 2 and corners[-1][1] >= corners[-2][1]:
    corners.pop()
  return corners


def _turn(a, b, c):
  return (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])


def error_at(corners, rate):
  """Log error at a rate; None beyond the hull's ends. A codec that is done with less has that error at more."""
  if not corners or rate < corners[0][0]:
    return None
  return _between(corners, rate, 0) if rate < corners[-1][0] else corners[-1][1]


def rate_at(corners, error):
  """The rate for a log error; None where it is not reached, or the least rate is better already."""
  if not corners or error > corners[0][1] or error < corners[-1][1]:
    return None
  return _between([(b, a) for a, b in corners], error, 0)


def _between(corners, x, start):
  for (xa, ya), (xb, yb) in zip(corners[start:], corners[start + 1:]):
    if min(xa, xb) <= x <= max(xa, xb):
      return ya + (yb - ya) * (x - xa) / (xb - xa)
  return corners[-1][1]


def hulls(rows, exponent):
  """By update: the hull over all settings of a codec. rows: of the settings; exponent: index of M."""
  return {update: hull([(point['rate'], math.log(point['distortion'][exponent]))
                        for row in rows for point in row['updates'][update] if point['distortion'][exponent] > 0])
          for update in rows[0]['updates']}


def mean_at(curves, read, x):
  """Mean over updates of what `read` finds at x; None if one has nothing."""
  found = [read(corners, x) for corners in curves.values()]
  return None if None in found else sum(found) / len(found)
