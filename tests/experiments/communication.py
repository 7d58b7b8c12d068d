#!/usr/bin/env python3
"""Rounds without training: seconds, CPU, memory and bytes of server and clients, and what idle clients cost.

Runs `./run bench federation`, `./run bench idle_clients` and the latter with `--tls`, and puts their tables, with a
peer's figures beside them, into docs/results/communication.md. The federations are 1M, 10M and 100M parameters with 1, 4
and 16 clients, in FP32 and in S1E3M7; the largest takes about 21 GB below /tmp and 7 GB of memory. Nothing else
should run meanwhile: it shows in the seconds.
"""
import argparse
import os
import subprocess
import sys

from lib.provenance import TOP, machine, revision

PAGE = os.path.join(TOP, 'docs', 'results', 'communication.md')

# Seconds per round and peak memory of the server. 1.6.0 is its last release that streams over one bidirectional gRPC
# call, 1.23 a current one; one server, N client processes on a machine with two cores, FP32, nothing written to disk.
FLOWER = [
    ('1M, 4', '0.107', '298 MB', '6.2', '225 MB'),
    ('1M, 16', '0.383', '757 MB', '13.6', '361 MB'),
    ('10M, 1', '0.42', '546 MB', '4.9', '559 MB'),
    ('10M, 4', '0.95', '2.0 GB', '7.3', '885 MB'),
    ('10M, 16', '6.6', '6.4 GB', '24.2', '2.5 GB'),
    ('100M, 4', '29.3', '10.8 GB', '34.5', '6.4 GB'),
]


def bench(name, *arguments):
  """The output of ./run bench NAME ARGUMENTS."""
  command = [os.path.join(TOP, 'run'), 'bench', name, *arguments]
  if subprocess.run(command, cwd=TOP, check=False).returncode != 0:
    sys.exit(f'./run bench {name} failed')
  with open(os.path.join(TOP, 'out', 'bench', f'{name}_bench.txt'), encoding='utf-8') as file:
    return file.read().strip()


def page(federation, idle, idle_tls):
  flower = '\n'.join('| ' + ' | '.join(row) + ' |' for row in FLOWER)
  return f'''# Communication in figures

Made by `./run experiment communication` at {revision()} on {machine()}.

Clients are processes on the same machine as the server, over loopback and without encryption; they return what they got
plus noise. An update is synced to disk before it is acknowledged, a version before it is published. Seconds are from the
first published version to the last. MB are serialized messages of all clients, the initial model included.

{federation}

The peer that users would pick, Flower, on such a machine, measured apart; it keeps nothing on disk:

| parameters, clients | 1.6.0 s/round | 1.6.0 server peak | 1.23 s/round | 1.23 server peak |
|---|---|---|---|---|
{flower}

## Clients that wait

Each idle client has a connection of its own and a call that the server holds.

{idle}

The same with mutual TLS, a certificate for each client (`./run bench idle_clients --tls`):

{idle_tls}
'''


def main():
  argparse.ArgumentParser(prog='./run experiment communication', description=__doc__,
                          formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
  text = page(bench('federation'), bench('idle_clients'), bench('idle_clients', '--tls'))
  with open(PAGE, 'w', encoding='utf-8') as file:
    file.write(text)
  print(f'written to {os.path.relpath(PAGE, TOP)}')


if __name__ == '__main__':
  main()
