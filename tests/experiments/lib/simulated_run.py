"""A simulated federation, thinwire-simulate, as a run whose result is kept."""
import json
import os
import shutil
import subprocess

from lib.kept_runs import Run


class RefusedBudget(RuntimeError):
  """The budget of an upload is too small for codec and model; says what would do."""


class FailedFederation(RuntimeError):
  """It did not come to its end; says why."""


RUN_FAILED = 1  # exit code; the result is printed all the same


def simulate(settings, programs, state):
  """What thinwire-simulate prints with these options. Its state is in the folder `state` while it runs. RefusedBudget and
  FailedFederation are among its errors."""
  shutil.rmtree(state, ignore_errors=True)
  command = [os.path.join(programs, 'thinwire-simulate'), '--no-sync', '--threads=1', '--format=json',
             f'--state={state}'] + [f'--{option}={value}' for option, value in settings.items()]
  done = subprocess.run(command, capture_output=True, text=True, check=False,
                        env={**os.environ, 'OPENBLAS_NUM_THREADS': '1'})
  if done.returncode not in (0, RUN_FAILED):
    if 'uplink.update: the budget is' in done.stderr:
      raise RefusedBudget(done.stderr.strip().splitlines()[-1].partition('uplink.update: ')[2])
    raise RuntimeError(f'thinwire-simulate ended with code {done.returncode}: {done.stderr.strip()[-600:]}')
  if not done.stdout:
    raise RuntimeError(f'thinwire-simulate printed no result: {done.stderr.strip()[-600:]}')
  shutil.rmtree(state)
  return completed(json.loads(done.stdout))


def completed(result):
  """`result`, if the federation came to its end."""
  if result['state'] != 'COMPLETED':
    raise FailedFederation(f"the federation ended as {result['state']}: {result['reason']}")
  return result


def simulated_run(name, settings, programs, folder):
  """`settings` are thinwire-simulate's options. Its state is in folder/name while it runs. The row: its result without
  options; `seen`: for each evaluation the payload bytes of trainers up to then, its accuracy and loss; `payload_up`: of
  each round; `train_loss`: of the last. Errors are those of simulate."""
  return Run(name, settings, lambda: row_of(simulate(settings, programs, os.path.join(folder, name))))


def row_of(result):
  """What is kept of a result."""
  seen, total = [], 0
  for one in completed(result)['rounds']:
    total += one['payload_down'] + one['payload_up']
    if one.get('accuracy') is not None:
      seen.append({'round': one['round'], 'payload': total, 'accuracy': one['accuracy'], 'loss': one['eval_loss']})
  if not seen:
    raise RuntimeError('the federation ended without an evaluation')
  return {'accuracy': seen[-1]['accuracy'], 'loss': seen[-1]['loss'], 'seen': seen, 'trainers': result['trainers'],
          'train_loss': result['rounds'][-1].get('train_loss'),
          'payload_up': [one['payload_up'] for one in result['rounds']], 'cpu_seconds': result['cpu_seconds']}
