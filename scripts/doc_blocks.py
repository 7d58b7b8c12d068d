"""The fenced blocks of a page of documentation, for tests that execute or check what the page says."""
import collections
import re

# `heading`: of the section that it stands in. `before`: the paragraph above it, in one line.
Block = collections.namedtuple('Block', 'language heading before text line')


def blocks(path):
  """All fenced blocks of the Markdown file, in order."""
  found, heading, paragraph, fence = [], '', [], None
  with open(path, encoding='utf-8') as file:
    lines = file.read().splitlines()
  for number, line in enumerate(lines, 1):
    if fence is not None:
      if line.strip() == '```':
        found.append(fence._replace(text='\n'.join(fence.text) + '\n'))
        fence, paragraph = None, []
      else:
        fence.text.append(line)
    elif line.startswith('```'):
      fence = Block(line[3:].strip(), heading, ' '.join(paragraph), [], number)
    elif re.match(r'#+ ', line):
      heading, paragraph = line.lstrip('#').strip(), []
    elif line.strip():
      paragraph.append(line.strip())
    elif paragraph and lines[number:number + 1] and not lines[number].startswith('```'):
      paragraph = []
  if fence is not None:
    raise ValueError(f'{path}:{fence.line}: the block has no end')
  return found


def one(found, language, contains):
  """The only block of that language with `contains` in its text or in the paragraph above it."""
  hits = [block for block in found if block.language == language and contains in block.before + '\n' + block.text]
  if len(hits) != 1:
    raise ValueError(f'{len(hits)} blocks of language "{language}" say "{contains}", there must be 1')
  return hits[0]
