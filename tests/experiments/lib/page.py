"""A page of docs/results, or a part of one, with its tables as CSV and its plots beside it."""
import os

from lib.figures import markdown, plot, write_csv


class Page:
  """Collects sections. `name` is the file's, and begins those of tables and plots."""

  def __init__(self, folder, name):
    self.folder, self.name, self.sections, self.revisions = folder, name, [], set()
    os.makedirs(folder, exist_ok=True)

  def seen(self, rows):
    """Kept rows that the page rests on: their programs are named with it."""
    self.revisions.update(row['revision'] for row in rows)

  def add(self, text):
    self.sections.append(text.strip())

  def table(self, name, head, rows):
    write_csv(os.path.join(self.folder, f'{self.name}_{name}.csv'), head, rows)
    self.add(markdown(head, rows) + f'\n\n([as CSV]({self.name}_{name}.csv))')

  def picture(self, name, alternative, script, data):
    plot(os.path.join(self.folder, f'{self.name}_{name}.png'), script, data)
    self.add(f'![{alternative}]({self.name}_{name}.png)')
