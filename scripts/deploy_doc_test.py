#!/usr/bin/env python3
"""Executes docs/deploy.md: sections 1 to 5, block by block, on machines that are network namespaces with a systemd booted
in each. HUB, SITE (twice) and DESK; HUB is 10.2.0.1 and 10.3.0.1 to the sites and 10.1.0.1 to the desk.

Then checks that the federation trained over mutual TLS, that a client without a certificate and one of another authority
are refused, that a server that goes on running refuses who was revoked and shows its new certificate, and that ports 9481
and 9482 are out of a site's reach. The page itself is what runs; SUBSTITUTED below is all that is changed, and every
block of these sections has to have been used.

Exit codes: 0 passed, 1 failed, 77 this machine cannot run it (root, overlay file system, systemd-nspawn, nft, curl)."""
import argparse
import glob
import os
import re
import shutil
import sys
import time

import doc_blocks
import machines

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), '..'))
PAGE = os.path.join(TOP, 'docs', 'deploy.md')
SECTIONS = ('1. Packages', '2. Certificates', '3. The server', '4. The clients', '5. Operating',
            'Revoke and rotate')
# What a test cannot take as it stands, and why.
SUBSTITUTED = [
    ('rounds: 100', 'rounds: 3'),  # time
    # The page's own way to try it, on fewer images.
    ('--data /srv/site-data', '--data /usr/share/datasets/fashion-mnist --samples 2000 --shard SHARD'),
    ('journalctl -fu', 'journalctl --no-pager -u'),  # -f never ends
]


class Page:
  """The blocks of the page, each to be taken once."""

  def __init__(self, path):
    self._left = [block for block in doc_blocks.blocks(path) if block.heading in SECTIONS]

  def take(self, language, contains):
    block = doc_blocks.one(self._left, language, contains)
    self._left.remove(block)
    text = block.text
    for old, new in SUBSTITUTED:
      text = text.replace(old, new)
    return text

  def check_all_taken(self):
    if self._left:
      raise RuntimeError(f'{PAGE}:{self._left[0].line}: this block was not executed; teach {__file__} what to do with it')


def lines_for(text, where):
  """Lines of a block that are marked with the machine that they are for: `command   # HUB`."""
  lines = [line.rsplit('#', 1)[0] for line in text.splitlines() if re.search(rf'# (each )?{where}$', line)]
  if not lines:
    raise RuntimeError(f'no line is marked "# {where}" in:\n{text}')
  return '\n'.join(lines)


def say(text):
  print(f'==> {text}', flush=True)


class Deployment:
  def __init__(self, all_machines, page, packages):
    self.page, self.packages, self.all = page, packages, all_machines
    self.owners = None
    self.hub = all_machines.add('HUB')
    self.desk = all_machines.add('DESK')
    self.sites = {name: all_machines.add(name) for name in ('site-a', 'site-b')}
    all_machines.link(self.hub, '10.1.0.1', self.desk, '10.1.0.2')
    all_machines.link(self.hub, '10.2.0.1', self.sites['site-a'], '10.2.0.2')
    all_machines.link(self.hub, '10.3.0.1', self.sites['site-b'], '10.3.0.2')

  def start_machines(self):
    for machine, hub in ((self.hub, '127.0.0.1'), (self.desk, '10.1.0.1'), (self.sites['site-a'], '10.2.0.1'),
                         (self.sites['site-b'], '10.3.0.1')):
      machine.overlay()
      machine.write('/etc/hosts', f'127.0.0.1 localhost\n{hub} fed.example.org\n')
      for package in glob.glob(os.path.join(self.packages, '*.deb')):
        shutil.copy(package, machine.root + '/root/')
    booted = [self.hub] + list(self.sites.values())
    for machine in booted:
      machine.boot()
    for machine in booted:
      machine.await_boot()

  def install(self):
    self.page.take('sh', './run packages')  # done before
    steps = self.page.take('sh', 'apt-get install ./thinwire-server_')
    self.hub.run(lines_for(steps, 'HUB'))
    self.desk.run(lines_for(steps, 'DESK'))
    for site in self.sites.values():
      site.run(lines_for(steps, 'SITE'))

  def certify(self):
    steps = self.page.take('sh', 'thinwire certs init')
    self.desk.run(steps)
    self.desk.run('\n'.join(line for line in steps.splitlines() if ' client ' in line).replace('site-a', 'site-b'))
    self.owners = self.page.take('sh', 'chown -R')
    self.carry('server', self.hub, 'HUB')
    for name, site in self.sites.items():
      self.carry(f'client-{name}', site, 'SITE')

  def carry(self, source, machine, where):
    shutil.copytree(f'{self.desk.root}/root/certs/{source}', machine.root + '/etc/thinwire/tls', dirs_exist_ok=True)
    machine.run(lines_for(self.owners, where))

  def start_server(self):
    self.hub.write('/etc/thinwire/server.textproto', self.page.take('', 'In `/etc/thinwire/server.textproto`'))
    self.hub.run(self.page.take('sh', 'enable --now thinwire-server'))
    if not self.reaches(self.sites['site-a'], 9481):
      raise RuntimeError('9481 was out of reach before there was a firewall: the check below would prove nothing')
    self.hub.write('/root/thinwire.nft', self.page.take('', 'with nftables'))
    self.hub.run('nft -f /root/thinwire.nft')

  def reaches(self, machine, port):
    return machine.run(f'timeout 2 bash -c "</dev/tcp/fed.example.org/{port}"', check=False).returncode == 0

  def check_ports(self):
    for machine, expected in ((self.sites['site-a'], {9480}), (self.sites['site-b'], {9480}), (self.desk, {9480, 9481})):
      reached = {port for port in (9480, 9481, 9482) if self.reaches(machine, port)}
      if reached != expected:
        raise RuntimeError(f'{machine.name} reaches {sorted(reached)} of HUB, and should reach {sorted(expected)}')

  def check_refusals(self):
    site = self.sites['site-a']
    dial = 'thinwire-client --server fed.example.org:9480 --task echo --state $(mktemp -d) --max-failures 2 --once'
    self.desk.run('thinwire certs init elsewhere --server x; thinwire certs client elsewhere --name site-a')
    shutil.copytree(f'{self.desk.root}/root/elsewhere', f'{site.root}/root/elsewhere')
    # Without the bundle the client itself would refuse the files.
    site.run('cat /etc/thinwire/tls/ca.pem elsewhere/client-site-a/ca.pem >elsewhere/both.pem')
    for what, flags in (('without a certificate', '--insecure'),
                        ('with a certificate of another authority',
                         '--ca elsewhere/both.pem --cert elsewhere/client-site-a/cert.pem '
                         '--key elsewhere/client-site-a/key.pem')):
      done = site.run(f'{dial} {flags} 2>&1', check=False)
      if done.returncode != 5:  # gave up on the server
        raise RuntimeError(f'a client {what} was not turned away, exit code {done.returncode}:\n{done.stdout}')
    if 'certificate verify failed' not in self.hub.run('journalctl --no-pager -u thinwire-server').stdout:
      raise RuntimeError('the server\'s log does not say why it turned a client away')
    clients = self.hub.run('curl -fsS http://127.0.0.1:9482/metrics | grep ^thinwire_clients').stdout
    if re.search(r' [1-9]', clients):
      raise RuntimeError(f'the server took a stranger in: {clients}')

  def start_clients(self):
    defaults = self.page.take('', 'In `/etc/default/thinwire-client`')
    steps = self.page.take('sh', 'enable --now thinwire-client@site-a')
    drop_in = self.page.take('', 'systemctl edit thinwire-client@site-a')
    for index, (name, site) in enumerate(self.sites.items()):
      site.write('/etc/default/thinwire-client', defaults.replace('SHARD', f'{index}/2'))
      if name == 'site-b':  # what the page has `systemctl edit` write
        site.write(f'/etc/systemd/system/thinwire-client@{name}.service.d/override.conf', drop_in)
        site.run('systemctl daemon-reload')
      site.run(steps.replace('site-a', name))

  def operate(self):
    output = self.desk.run(self.page.take('sh', 'thinwire watch'), timeout=240).stdout
    rounds = self.desk.run(
        'cd /root; export THINWIRE_CA=operator-alice/ca.pem THINWIRE_CERT=operator-alice/cert.pem '
        'THINWIRE_KEY=operator-alice/key.pem; thinwire rounds --server fed.example.org:9481').stdout
    print(rounds, flush=True)
    losses = [float(line.split()[6]) for line in rounds.splitlines() if ' PUBLISHED ' in line]
    if len(losses) != 3 or losses[-1] >= losses[0]:
      raise RuntimeError(f'3 rounds and a falling loss were expected:\n{output}\n{rounds}')
    if os.path.getsize(self.desk.root + '/root/model.safetensors') < 4 * 114314:
      raise RuntimeError('the exported model is too small for the CNN')

  def check_clients(self):
    for name, site in self.sites.items():
      log = site.run(f'journalctl --no-pager -u thinwire-client@{name}').stdout
      if f'client={name} ' not in log or 'delivered=3 failed=0' not in log:
        raise RuntimeError(f'{name} did not take part as it should:\n{log}')

  def revoke_and_rotate(self):
    revoke = self.page.take('sh', 'thinwire certs revoke')
    replace = self.page.take('sh', 'thinwire certs server certs --replace')
    restart = self.page.take('sh', 'systemctl restart thinwire-client@site-b')
    server = self.hub.run('systemctl show -P MainPID thinwire-server').stdout
    self.check_end_of_site_b(restart, 0, 'before it was revoked')
    self.desk.run(revoke)
    self.carry('server', self.hub, 'HUB')
    self.check_end_of_site_b(restart, 3, 'when it was revoked')
    log = self.sites['site-b'].run('journalctl --no-pager -u thinwire-client@site-b').stdout
    if ', is revoked; ask the operator' not in log:
      raise RuntimeError(f'the log of site-b does not say that its certificate is revoked:\n{log}')
    if not self.shows_certificate():
      raise RuntimeError('the server does not show its certificate: the check below would prove nothing')
    self.desk.run(replace)
    if self.shows_certificate():
      raise RuntimeError('thinwire certs server --replace changed nothing')
    self.carry('server', self.hub, 'HUB')
    self.carry('client-site-b', self.sites['site-b'], 'SITE')
    machines.await_until(self.shows_certificate, 20, 'the server shows its new certificate')
    self.check_end_of_site_b(restart, 0, 'with its new certificate')
    if self.hub.run('systemctl show -P MainPID thinwire-server').stdout != server:
      raise RuntimeError('the server was restarted')

  def check_end_of_site_b(self, restart, expected, when):
    """The run has ended, so a client that is let in hears so and ends with 0; one that is refused ends with 3."""
    site, unit = self.sites['site-b'], 'thinwire-client@site-b'
    site.run(restart)
    state = lambda: site.run(f'systemctl is-active {unit}', check=False).stdout.strip()
    machines.await_until(lambda: state() in ('inactive', 'failed'), 60, f'the client ends {when}')
    code = int(site.run(f'systemctl show -P ExecMainStatus {unit}').stdout)
    if code != expected:
      raise RuntimeError(f'site-b ended with {code}, not {expected}, {when}')

  def shows_certificate(self):
    """Whether who dials HUB is shown the server's certificate that DESK has."""
    return self.desk.run('''python3 -c '
import ssl, sys
shown = ssl.get_server_certificate(("fed.example.org", 9481)).strip()
sys.exit(0 if shown == open("certs/server/cert.pem").read().strip() else 9)' ''', check=False).returncode == 0

  def report(self):
    for machine in [self.hub] + list(self.sites.values()):
      print(f'--- {machine.name}', machine.run('journalctl --no-pager -n 25 -u "thinwire*"', check=False).stdout,
            file=sys.stderr)


def job(packages):
  machines.need('systemd-nspawn', 'nft', 'curl', 'ip', 'pgrep', 'dpkg')
  if not glob.glob(os.path.join(packages, 'thinwire-server_*.deb')):
    raise RuntimeError(f'no packages in {packages}: ./run packages makes them in out/packages')
  begin = time.monotonic()
  page = Page(PAGE)
  with machines.Machines() as all_machines:
    deployment = Deployment(all_machines, page, packages)
    try:
      for what, step in (('Booting HUB and two sites', deployment.start_machines),
                         ('Installing packages', deployment.install), ('Certificates', deployment.certify),
                         ('Server and firewall', deployment.start_server), ('Ports', deployment.check_ports),
                         ('Strangers', deployment.check_refusals), ('Clients', deployment.start_clients),
                         ('Training', deployment.operate), ('Clients\' logs', deployment.check_clients),
                         ('Revoking and rotating', deployment.revoke_and_rotate)):
        say(what)
        step()
    except RuntimeError:
      deployment.report()
      raise
  page.check_all_taken()
  say(f'Passed: docs/deploy.md, sections 1 to 5, in {time.monotonic() - begin:.0f} s')


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--packages', default=os.path.join(TOP, 'out', 'packages'), help='default out/packages')
  arguments = parser.parse_args()
  machines.main(lambda: job(arguments.packages))


if __name__ == '__main__':
  main()
