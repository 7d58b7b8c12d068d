#!/usr/bin/env python3
"""What `thinwire-client --uplink RATE` really lets through, read off a network interface.

A server and a client that returns what it got stand in two network namespaces with a fast link between them. The client's
interface is read 20 times a second. Of each upload, judged are all windows of 10 s that lie within it; and, for the upper
bound, all windows of the whole run. Writes docs/results/pacer.md. Needs root. Exit codes: 0 done, 1 failed or a window is
more than 5 % off, 77 cannot run here."""
import argparse
import os
import time

from lib.figures import markdown
from lib.placed_processes import PlacedProcesses, machines, sent
from lib.provenance import TOP, machine, revision

PAGE = os.path.join(TOP, 'docs', 'results', 'pacer.md')
WINDOW = 10  # seconds
LOOK = 0.05
HEADERS = 14 + 20 + 32  # bytes of Ethernet, IPv4, and TCP with time stamps
OFF = 0.05
RATES = {'64kbit': 64_000, '128kbit': 128_000, '1Mbit': 1_000_000, '10Mbit': 10_000_000}  # as --uplink has it: bits a second
SECONDS = 25  # that an upload takes at its rate
ROUNDS = 2
CONFIG = '''run { name: "pacer" rounds: %d seed: 1 }
listen { federation: "10.9.0.1:9480" control: "127.0.0.1:9481" http: "127.0.0.1:9482" }
security { insecure: true }
storage { directory: "state" }
model { from_client_seed: 1 }
plan { preset: PLAN_PRESET_FP32 }
round { clients: 1 min_updates: 1 deadline { seconds: 3600 } }
training { learning_rate: 0.01 }
'''


def samples(programs, name, limit):
  """[(seconds, bytes on the wire, bytes in TCP)] of the client's interface, over a run of ROUNDS rounds."""
  with machines.Machines() as all_machines:
    hub, site = all_machines.add('HUB'), all_machines.add('SITE')
    interface = all_machines.link(hub, '10.9.0.1', site, '10.9.0.2')[1]
    federation = PlacedProcesses(programs, hub.folder)
    try:
      federation.start_server(hub, CONFIG % ROUNDS)
      client = federation.start(site, 'client', 'thinwire-client', '--server', '10.9.0.1:9480', '--insecure', '--task', 'echo',
                                '--state', 'client', '--client-id', 'paced', '--uplink', name,
                                '--echo-parameters', str(RATES[name] * SECONDS // 32))
      return list(looked(site, interface, client, federation, limit))
    finally:
      federation.close()


def looked(site, interface, client, federation, limit):
  begin = time.monotonic()
  while client.poll() is None:
    wire, packets = sent(site, interface)
    yield time.monotonic() - begin, wire, wire - HEADERS * packets
    time.sleep(LOOK)
    federation.check()
    if time.monotonic() - begin > limit:
      raise RuntimeError(f'the run has not ended within {limit} s')
  federation.check()


def windows(points):
  """[(begin, end, bytes)] of 10 s each, from each point on, to the first one that is as far away; points: (seconds, bytes)."""
  found, last = [], 0
  for begin, before in points:
    while last < len(points) and points[last][0] < begin + WINDOW:
      last += 1
    if last == len(points):
      break
    found.append((begin, points[last][0], points[last][1] - before))
  return found


def uploads(points, rate):
  """[(begin, end)] of the uploads: from a look after which bytes came at half the rate or more in a second, as long as they
  do."""
  found, inside = [], None
  for index, (now, count) in enumerate(points):
    after = next(((then, more) for then, more in points[index:] if then >= now + 1), None)
    if after is None:
      break
    busy = (after[1] - count) * 8 / (after[0] - now) > rate / 2
    if busy and inside is None:
      inside = now
    if not busy and inside is not None:
      found.append((inside, now))
      inside = None
  return found + ([(inside, points[-1][0] - 1)] if inside is not None else [])


def shares(points, rate):
  """(least, most) of the rate in 10 s: the least of windows within an upload, a second from its ends, the most of all."""
  spans = uploads(points, rate)
  all_windows = [(begin, end, 8 * count / (end - begin) / rate) for begin, end, count in windows(points)]
  within = [share for begin, end, share in all_windows
            if any(first + 1 <= begin and end <= last for first, last in spans)]
  if not within:
    raise RuntimeError(f'no upload lasted {WINDOW} s')
  return min(within), max(share for _, _, share in all_windows), len(within)


def measure(options):
  rows, off = [], []
  for name, rate in RATES.items():
    looks = samples(options.bin, name, options.limit)
    least, most, count = shares([(now, tcp) for now, _, tcp in looks], rate)
    wire = shares([(now, wire) for now, wire, _ in looks], rate)
    rows.append([name, count, f'{least:.3f}', f'{most:.3f}', f'{wire[0]:.3f}', f'{wire[1]:.3f}'])
    print('  '.join(map(str, rows[-1])), flush=True)
    if least < 1 - OFF or most > 1 + OFF:
      off.append(f'{name}: {least:.3f} to {most:.3f}')
  return rows, off


def page(rows):
  head = ['`--uplink`', 'windows within uploads', 'least', 'most', 'least, with headers', 'most, with headers']
  return f'''# What a paced client sends

Made by `./run experiment pacer` at {revision()} on {machine()}.

A server and a client in two network namespaces, a fast link between them. The client returns what it got, FP32; each upload
takes {SECONDS} s at its rate, {ROUNDS} rounds and the initial weights. The client's interface is read 20 times a second. Bits
sent in {WINDOW} s over those that the rate allows: the least of all windows within an upload, the most of all windows of the run.
What the pacer counts is payload, gRPC and HTTP/2; "with headers" has Ethernet, IP and TCP ({HEADERS} bytes a packet) too.
Everything else that the client sends meanwhile, heartbeats and acknowledgements, is in both.

{markdown(head, rows)}

Asked for: no more than {OFF:.0%} off in any {WINDOW} s, of what the pacer counts.
'''


def job(options):
  machines.need('ip')
  rows, off = measure(options)
  with open(PAGE, 'w', encoding='utf-8') as file:
    file.write(page(rows))
  print(f'written to {os.path.relpath(PAGE, TOP)}')
  if off:
    raise RuntimeError('more than 5 % off: ' + '; '.join(off))


def main():
  parser = argparse.ArgumentParser(prog='./run experiment pacer', description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--limit', type=int, default=300, help='seconds after which a run has failed')
  parser.add_argument('--bin', default=os.path.join(TOP, 'build', 'dev', 'bin'), help='the programs')
  options = parser.parse_args()
  options.bin = os.path.abspath(options.bin)
  machines.main(lambda: job(options))


if __name__ == '__main__':
  main()
