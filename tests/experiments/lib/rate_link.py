"""Part d of ./run experiment rate: a federation of processes in network namespaces, each client behind a thin link of its
own, until a stated accuracy is reached. Time and bytes are those of the link."""
import re
import time

from lib.kept_runs import Run
from lib.placed_processes import PlacedProcesses, machines, sent

PROGRAMS = ('ip', 'tc')
RATES = (64, 256, 1024)  # kbit/s, each way
S1E3M7 = '{ value { float { exponent_bits: 3 mantissa_bits: 7 scale: SCALE_RULE_POWER_OF_TWO } } }'
RDU = (f'explicit {{ downlink {S1E3M7} uplink {{ representation: UPLINK_REPRESENTATION_DELTA '
       'update { bits_per_parameter: %s rdu {} } } }')
PLANS = {
    'FP32': 'preset: PLAN_PRESET_FP32',
    'S1E3M7': 'preset: PLAN_PRESET_S1E3M7',
    'rdu, 0.25 bits': RDU % '0.25',
    'rdu, 0.05 bits': RDU % '0.05',
}
CONFIG = '''run { name: "link" rounds: %(rounds)d seed: %(seed)d }
listen { federation: "0.0.0.0:9480" control: "127.0.0.1:9481" http: "127.0.0.1:9482" }
security { insecure: true }
storage { directory: "state" }
model { from_client_seed: %(seed)d }
plan { %(plan)s }
round { clients: %(clients)d min_updates: %(clients)d deadline { seconds: 3600 } }
training { learning_rate: 0.02 batch_size: 32 local_epochs: 1 sgd { momentum: 0.9 } }
evaluation { every: 1 }
'''
LOOK = 0.2  # seconds between looks at the server's log


def options(data, limit, quick):
  """What the federations have in common; `limit`: seconds."""
  common = {'data': data, 'model': 'cnn', 'clients': 2, 'samples': 4000, 'partition': 'iid', 'seed': 1, 'rounds': 100,
            'accuracy': 0.8, 'limit': limit}
  return {**common, 'samples': 1000, 'rounds': 3, 'accuracy': 0.3, 'limit': 60} if quick else common


def linked_run(plan, kbits, settings, programs):
  """`plan` is one of PLANS. The row: see Federation.follow."""
  name = f"link-{kbits}-{re.sub('[^a-z0-9.]+', '-', plan.lower())}"

  def work():
    with machines.Machines() as all_machines:
      federation = Federation(all_machines, kbits, settings, programs)
      try:
        return federation.follow(PLANS[plan])
      finally:
        federation.close()
  return Run(name, {**settings, 'plan': PLANS[plan], 'kbit/s': kbits}, work)


class Federation(PlacedProcesses):
  """A server and an evaluator on one machine, each client on its own, a link of `kbits` to the server's."""

  def __init__(self, all_machines, kbits, settings, programs):
    self.settings = settings
    self.hub = all_machines.add('HUB')
    super().__init__(programs, self.hub.folder)
    self.sites, self.ends = [], []  # (the hub's interface, the site's)
    for number in range(settings['clients']):
      site = all_machines.add(f'SITE-{number}')
      self.sites.append(site)
      self.ends.append(
          all_machines.thin_link(self.hub, f'10.9.{number}.1', site, f'10.9.{number}.2', f'{kbits}kbit'))

  def start_client(self, place, name, address, *arguments):
    self.start(place, name, 'thinwire-client', '--server', f'{address}:9480', '--insecure', '--task', 'classify',
               '--model', self.settings['model'], '--data', self.settings['data'], '--state', name, '--client-id', name,
               *arguments)

  def wire(self):
    """Bytes down and up on all links so far."""
    return (sum(sent(self.hub, hub)[0] for hub, _ in self.ends),
            sum(sent(site, its)[0] for site, (_, its) in zip(self.sites, self.ends)))

  def follow(self, plan):
    """The row. `published`: for each version the seconds since the clients were started, bytes down and up on the links,
    and the accuracy, None if it was not evaluated in time. Ends when the accuracy asked for is reached, the rounds are done
    or the limit of time has passed."""
    self.start_server(self.hub, CONFIG % {**self.settings, 'plan': plan})
    begin = time.monotonic()
    self.start_client(self.hub, 'evaluator', '127.0.0.1', '--role', 'evaluator')
    for number, site in enumerate(self.sites):
      self.start_client(site, f'trainer-{number}', f'10.9.{number}.1', '--partition', self.settings['partition'],
                        '--shard', f"{number}/{self.settings['clients']}", '--samples', str(self.settings['samples']),
                        '--seed', str(self.settings['seed']))
    published = {}
    while True:
      log, seconds = self.log('server'), time.monotonic() - begin
      for version in map(int, re.findall(r'published version=(\d+) ', log)):
        if version not in published:
          published[version] = [seconds, *self.wire(), None]
      for version, accuracy in re.findall(r'evaluated version=(\d+) accuracy=(\S+)', log):
        if int(version) in published:
          published[int(version)][3] = float(accuracy)
      if self.is_over(published, seconds):
        down, up = self.wire()
        return {'published': {str(version): its for version, its in sorted(published.items())}, 'seconds': seconds,
                'down': down, 'up': up}
      self.check()
      time.sleep(LOOK)

  def is_over(self, published, seconds):
    last = published.get(self.settings['rounds'])
    return (first_with(published, self.settings['accuracy']) is not None or seconds > self.settings['limit'] or
            (last is not None and last[3] is not None))


def first_with(published, accuracy):
  """[seconds, down, up, accuracy] of the first version that has it, or None; versions in any order."""
  return next((its for _, its in sorted(published.items(), key=lambda item: int(item[0]))
               if its[3] is not None and its[3] >= accuracy), None)
