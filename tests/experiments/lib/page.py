"""A page of docs/results with its tables as CSV and its plots beside it."""
import os

from lib.figures import markdown, plot, write_csv
from lib.provenance import machine


class Page:
  """Collects sections. `name` is the file's, and begins those of tables and plots."""

  def __init__(self, folder, name):
    self.folder, self.name, self.sections, self.revisions = folder, name, [], set()
    os.makedirs(folder, exist_ok=True)

  def seen(self, rows):
    """Kept rows that the page rests on: their programs are named in its head."""
    self.revisions.update(row['revision'] for row in rows)

  def add(self, text):
    self.sections.append(text.strip())

  def table(self, name, head, rows):
    write_csv(os.path.join(self.folder, f'{self.name}_{name}.csv'), head, rows)
    self.add(markdown(head, rows) + f'\n\n([as CSV]({self.name}_{name}.csv))')

  def picture(self, name, alternative, script, data):
    plot(os.path.join(self.folder, f'{self.name}_{name}.png'), script, data)
    self.add(f'![{alternative}]({self.name}_{name}.png)')

  def write(self, command, title, text):
    """The page's path. `text` stands under the head, in front of all sections."""
    head = (f'# {title}\n\nMade by `{command}` on {machine()}; the programs are those of '
            f"{', '.join(sorted(self.revisions))}.\n\n{text}")
    path = os.path.join(self.folder, f'{self.name}.md')
    with open(path, 'w', encoding='utf-8') as file:
      file.write('\n\n'.join([head] + self.sections) + '\n')
    return path
