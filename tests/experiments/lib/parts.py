"""A page of docs/results whose parts are made one at a time: a part that is not made now stays as it was."""
import os
import re

from lib.provenance import machine

MARK = '<!-- part {} -->'


class Skipped(Exception):
  """A part cannot be made here, or with what is given; says why."""


def split_parts(text):
  """The parts that a page has, by name."""
  pieces = re.split(r'^<!-- part (\w+) -->\n', text, flags=re.M)
  return {name: part.strip() for name, part in zip(pieces[1::2], pieces[2::2])}


def join_parts(head, parts, order=()):
  """The text of a page: its head, then the parts that `order` names, as it does, then the others by their names."""
  names = [name for name in order if name in parts] + sorted(name for name in parts if name not in order)
  return '\n\n'.join([head.strip()] + [MARK.format(name) + '\n' + parts[name] for name in names]) + '\n'


def part_of(page, title, text):
  """The text of a part: what a Page has collected, under a head of its own."""
  made = f"Made on {machine()}; the programs are those of {', '.join(sorted(page.revisions))}."
  return '\n\n'.join([f'## {title}', made, text.strip()] + page.sections)


def write_parts(path, head, made, order=()):
  """Puts the parts just made, by name, in the place of those that the page at `path` has; `order` as join_parts has it."""
  parts = {}
  if os.path.exists(path):
    with open(path, encoding='utf-8') as file:
      parts = split_parts(file.read())
  with open(path, 'w', encoding='utf-8') as file:
    file.write(join_parts(head, {**parts, **made}, order))
