"""The processes part of ./run experiment omc: speech's federation as a server, clients and an evaluator over gRPC, beside
the same one in thinwire-simulate."""
import hashlib
import json
import os
import shutil
import subprocess
import time

from lib.kept_runs import Run

PLAN = 'omc'  # S1E3M7, for both
CONFIG = '''run { rounds: %(rounds)d seed: %(seed)d }
security { insecure: true }
storage { directory: "server" }
model { safetensors: "%(start)s" }
plan { preset: PLAN_PRESET_OMC }
round { clients: %(clients)d deadline { seconds: 3600 } }
aggregation { fed_adam { learning_rate: %(server-rate)s } }
training {
  local_epochs: %(epochs)d batch_size: %(batch)d learning_rate: %(learning-rate)s sgd { momentum: %(momentum)s }
}
evaluation { every: 1 }
'''
HEAD = ['federation', 'SHA-256 of the model', 'payload down, bytes', 'payload up, bytes', 'WER, as the evaluator holds it']


def options(speech):
  """What both federations have in common: speech's, for two rounds."""
  return dict(speech.federation, rounds=min(2, speech.federation['rounds']), model=speech.MODEL, partition='speaker', seed=1)


def client_flags(settings, index):
  """thinwire-client's flags, but who it is and where its state and the server are."""
  flags = {'task': 'speech', 'data': index, 'weights': 'packed'}
  flags.update({name: settings[name] for name in ('model', 'partition', 'seed', 'samples') if name in settings})
  return [f'--{name}={value}' for name, value in flags.items()]


def simulated_settings(speech):
  return dict(options(speech), task='speech', plan=PLAN, weights='packed')


def simulated(speech):
  """Its row, as that of `processes`: sha256, down, up, accuracy."""
  settings = simulated_settings(speech)

  def work():
    state = os.path.join(speech.folder, 'states', 'simulated')
    shutil.rmtree(state, ignore_errors=True)
    result = json.loads(speech.call('thinwire-simulate', '--no-sync', **settings, start=speech.start(), data=speech.index,
                                    threads=1, state=state, format='json'))
    if result['state'] != 'COMPLETED':
      raise RuntimeError(f"the federation ended as {result['state']}: {result['reason']}")
    shutil.rmtree(state)
    return {'sha256': result['model_sha256'], 'accuracy': result['accuracy'],
            **{way: result['trainers'][way]['payload'] for way in ('down', 'up')}}
  return Run('processes-simulated', dict(settings, start=speech.checkpoint_options), work)


def processes(speech):
  settings = options(speech)

  def work():
    with Federation(speech, settings) as federation:
      return federation.follow()
  return Run('processes', dict(settings, start=speech.checkpoint_options), work)


class Federation:
  """Processes on this machine, in a folder of their own; they end with it."""

  LIMIT = 1200  # seconds

  def __init__(self, speech, settings):
    self.speech, self.settings, self.started = speech, settings, []
    self.folder = os.path.abspath(os.path.join(speech.folder, 'states', 'processes'))

  def __enter__(self):
    shutil.rmtree(self.folder, ignore_errors=True)
    os.makedirs(self.folder)
    with open(os.path.join(self.folder, 'server.textproto'), 'w', encoding='utf-8') as file:
      file.write(configuration(self.speech, os.path.abspath(self.speech.start())))
    return self

  def __exit__(self, *_):
    for process in self.started:
      if process.poll() is None:
        process.terminate()
    for process in self.started:
      process.wait(60)

  def start(self, name, program, *arguments):
    with open(os.path.join(self.folder, f'{name}.log'), 'w', encoding='utf-8') as log:
      self.started.append(subprocess.Popen([os.path.join(self.speech.programs, program), *arguments], cwd=self.folder,
                                           stdout=log, stderr=log, env={**os.environ, 'OPENBLAS_NUM_THREADS': '1'}))

  def log(self, name):
    with open(os.path.join(self.folder, f'{name}.log'), encoding='utf-8', errors='replace') as file:
      return file.read()

  def endpoints(self):
    """Addresses by port, once the server listens."""
    path, begin = os.path.join(self.folder, 'server', 'endpoints.json'), time.monotonic()
    while not os.path.exists(path):
      if self.started[0].poll() is not None or time.monotonic() - begin > 30:
        raise RuntimeError(f"the server does not listen: {self.log('server')[-600:]}")
      time.sleep(0.1)
    with open(path, encoding='utf-8') as file:
      return json.load(file)

  def ask(self, address, verb):
    """What the operator's tool prints."""
    done = subprocess.run([os.path.join(self.speech.programs, 'thinwire'), verb, '--server', address, '--insecure',
                           '--format', 'json'], capture_output=True, text=True, check=False, timeout=self.LIMIT)
    if done.returncode != 0:
      raise RuntimeError(f'thinwire {verb} ended with code {done.returncode}: {done.stderr.strip()[-300:]}; '
                         f"the server: {self.log('server')[-600:]}")
    return done.stdout

  def follow(self):
    """The row, when the run has ended."""
    anywhere = [f'--listen-{port}=127.0.0.1:0' for port in ('federation', 'control', 'http')]
    self.start('server', 'thinwire-server', '--config=server.textproto', *anywhere)
    at = self.endpoints()
    flags = ['--insecure', f"--server={at['federation']}", *client_flags(self.settings, os.path.abspath(self.speech.index))]
    for number in range(self.settings['clients']):
      name = f'trainer-{number}'
      self.start(name, 'thinwire-client', *flags, f'--state={name}', f'--client-id={name}',
                 f"--shard={number}/{self.settings['clients']}")
    self.start('evaluator', 'thinwire-client', *flags, '--state=evaluator', '--client-id=evaluator', '--role=evaluator')
    self.ask(at['control'], 'watch')  # until the run ends
    return row_of(json.loads(self.ask(at['control'], 'status')), self.folder)


def row_of(status, folder):
  """Of thinwire status --format json, of a server that runs in `folder`."""
  with open(os.path.join(folder, status['model_path']), 'rb') as file:
    digest = hashlib.sha256(file.read()).hexdigest()
  traffic = status['trainer_traffic']
  return {'sha256': digest, 'accuracy': status['accuracy'],
          **{way: int(traffic[way]['payload_bytes']) for way in ('down', 'up')}}


def commands(speech):
  """What runs, server first; files by names of their own."""
  settings = options(speech)
  client = ' '.join(['thinwire-client --insecure --server=HOST:PORT', *client_flags(settings, 'an4/index.tsv')])
  flags = dict(simulated_settings(speech), data='an4/index.tsv', start='checkpoint.safetensors')
  return '\n'.join([
      'thinwire-server --config=server.textproto', f"{client} --client-id=trainer-I --shard=I/{settings['clients']} --state=trainer-I",
      f'{client} --client-id=evaluator --role=evaluator --state=evaluator',
      'thinwire-simulate ' + ' '.join(f'--{name}={value}' for name, value in flags.items())])


def configuration(speech, start='checkpoint.safetensors'):
  """The server's."""
  return CONFIG % dict(options(speech), start=start)


def line(name, row):
  """Under HEAD."""
  return [name, row['sha256'], f"{row['down']:,}", f"{row['up']:,}", f"{1 - row['accuracy']:.4f}"]


def verdict(one, other):
  """What the two rows have in common."""
  names = {'sha256': 'model', 'down': 'bytes down', 'up': 'bytes up', 'accuracy': 'error rate'}
  unequal = [name for key, name in names.items() if one[key] != other[key]]
  return f"They differ in: {', '.join(unequal)}." if unequal else 'The same model, bit by bit, and the same bytes.'
