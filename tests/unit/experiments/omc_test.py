"""What ./run experiment omc makes of its runs: cells, tables, parts of its page. Rows are made up."""
import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'experiments'))
import omc  # noqa: E402  pylint: disable=wrong-import-position
from lib import omc_page, omc_processes, omc_speech, page  # noqa: E402  pylint: disable=wrong-import-position
from lib.kept_runs import FailedRuns  # noqa: E402  pylint: disable=wrong-import-position
from lib.parts import split_parts, write_parts  # noqa: E402  pylint: disable=wrong-import-position


def row(loss=10.0, errors=(3, 1), payload=25, **more):
  """Of a federation over two recordings of 8 and 2 words."""
  traffic = {'payload': payload * 10**6, 'fp32_payload': 100 * 10**6}
  return {'loss': loss, 'errors': list(errors), 'words': [8, 2], 'wer': sum(errors) / 10, 'wer_at_clients': 0.5,
          'trainers': {'down': traffic, 'up': {**traffic, 'payload': 2 * payload * 10**6}}, 'cpu_seconds': 60.0,
          'revision': 'abc', **more}


def held(**other):
  """What a client takes."""
  return {'parameters': 100, 'weights': 100, 'peak_tensors': 4e6, 'peak_resident': 5e6, 'step_seconds': 0.5, **other}


class VoidTest(unittest.TestCase):
  def test_fp32_may_end_at_the_limit_and_not_above(self):
    self.assertEqual(omc_speech.void([{'wer': 0.34}, {'wer': 0.36}]), '')
    self.assertRegex(omc_speech.void([{'wer': 0.34}, {'wer': 0.362}]), '0.351, above 0.35')


class CellsTest(unittest.TestCase):
  def test_a_share_is_of_all_rows_together_and_of_one_direction(self):
    rows = [row(payload=10), row(payload=30)]
    self.assertEqual(omc_speech.share(rows, 'down'), 20)
    self.assertEqual(omc_speech.share(rows, 'up'), 40)

  def test_the_reference_is_compared_with_nothing(self):
    reference = [row(), row()]
    self.assertEqual(omc_speech.wer_cells(reference, reference, 12.0),
                     ['10.000 ± 0.000', '100 %', '0.400 ± 0.000 (0.400..0.400)', '-', '0.500'])

  def test_a_gain_is_the_part_of_the_references_way_down(self):
    reference = [row(10.0), row(10.0)]
    cells = omc_speech.wer_cells([row(11.0), row(12.0)], reference, 12.0)
    self.assertEqual(cells[:2], ['11.500 ± 0.707', '25 %'])
    self.assertEqual(omc_speech.wer_cells([row(13.0)], reference, 12.0)[1], '-50 %')

  def test_an_error_rate_has_its_difference_and_interval(self):
    cells = omc_speech.wer_cells([row(errors=(4, 2))], [row(errors=(3, 1))], 12.0)
    self.assertEqual(cells[2], '0.600 ± 0.000 (0.600..0.600)')
    self.assertEqual(cells[3], '+0.200 [+0.125, +0.500]')  # only the first recording drawn, or only the second


class TableTest(unittest.TestCase):
  def line(self, results, memory):
    formats = [('FP32', 'fp32'), ('S', 's')]
    lines = omc_speech.table(results, memory, formats, 'IID', 20.0)
    self.assertEqual([line[:2] for line in lines], [['IID', 'FP32'], ['IID', 'S']])
    return dict(zip(omc_speech.HEAD, lines[1], strict=True))

  def test_memory_is_of_four_bytes_a_parameter_and_speed_of_fp32(self):
    line = self.line({'fp32': [row()], 's': [row(payload=20, cpu_seconds=80.0)]},
                     {'fp32': held(), 's': held(weights=80, peak_tensors=3e6, peak_resident=4e6, step_seconds=0.625)})
    self.assertEqual([line[name] for name in ('parameter memory', 'peak tensors MB', 'peak resident MB', 'CPU s/step')],
                     ['20.0 %', '3.0', '4', '0.625'])
    self.assertEqual((line['speed of a step'], line['speed of a run']), ('0.80', '0.75'))
    self.assertEqual([line[name] for name in ('down MB', 'up MB', 'down / FP32', 'up / FP32')],
                     ['20.00', '40.00', '20.0 %', '40.0 %'])


class MemoryTest(unittest.TestCase):
  def test_a_step_is_the_median_difference_of_two_processes_and_memory_that_of_the_longer(self):
    speech = omc_speech.Speech('index', 'bin', 'folder')
    printed = [json.dumps(held(weights=weights, step_seconds=9.0)) for weights in (70, 80) * 3]
    times, now = [], 1.0
    for seconds in (1.0, 5.0, 1.0, 13.0, 1.0, 4.0):
      times += [argparse.Namespace(ru_utime=now, ru_stime=1.0), argparse.Namespace(ru_utime=now + seconds - 0.5, ru_stime=1.5)]
      now += seconds
    with mock.patch.object(speech, 'call', side_effect=printed) as call, \
        mock.patch.object(omc_speech.resource, 'getrusage', side_effect=times):
      self.assertEqual(speech.memory('s1e3m7').work(), held(weights=80, step_seconds=0.5))
    self.assertEqual([its.kwargs['steps'] for its in call.call_args_list], [2, 10] * 3)
    self.assertEqual(call.call_args.kwargs['codec'], 's1e3m7')


class AblationTest(unittest.TestCase):
  def test_each_line_adds_to_the_one_above(self):
    for (_, above, _), (label, codec, _) in zip(omc_speech.ABLATION[1:-1], omc_speech.ABLATION[2:-1]):
      self.assertTrue(codec.startswith(above), label)
    self.assertEqual([weights for _, _, weights in omc_speech.ABLATION], ['packed:nearest'] * 5 + ['packed'])
    self.assertEqual(omc_speech.ABLATION[-1][1], omc_speech.ABLATION[-2][1])

  def test_a_row_is_of_its_codec_and_its_rounding(self):
    results = {(codec, weights): [row(10.0 + number, payload=number)]
               for number, (_, codec, weights) in enumerate(omc_speech.ABLATION, 1)}
    head, lines = omc_speech.ablation_table(results, [row(10.0)], 20.0)
    self.assertEqual([line[0] for line in lines], ['FP32'] + [label for label, _, _ in omc_speech.ABLATION])
    self.assertEqual([line[-1] for line in lines], ['100.0 %'] + [f'{number}.0 %' for number in range(1, 7)])
    self.assertEqual([line[head.index("of FP32's gain")] for line in lines],
                     ['100 %', '90 %', '80 %', '70 %', '60 %', '50 %', '40 %'])


class MadeUpRuns:
  """In the place of KeptRuns: every run has a row at once, but those of the parts that fail."""

  def __init__(self, fails=''):
    self.fails, self.asked = fails, []

  def all(self, runs, *_):
    self.asked += [run.name for run in runs]
    if any(run.name == self.fails for run in runs):
      raise FailedRuns('a reason')
    return {run.name: self.row_of(run.name) for run in runs}

  @staticmethod
  def row_of(name):
    if name.startswith('memory'):
      return {**held(), 'revision': 'abc'}
    if name == 'checkpoint':
      return {'epoch': 4, 'cpu_seconds': 9.0, 'wer': 0.4, 'test_loss': 12.0, 'revision': 'abc'}
    if name.startswith(('fashion', 'cifar')):
      way = {'payload': 1, 'fp32_payload': 4, 'wire': 2e6}
      return {'accuracy': 0.5, 'trainers': {'down': way, 'up': way}, 'revision': 'abc',
              'clients': {'peak_rss_bytes': 1e6, 'cpu_seconds': 1.0}}
    return {'sha256': 'ab', 'down': 1, 'up': 2, 'accuracy': 0.5, 'revision': 'abc'} if name.startswith('processes') else row()


class PartsTest(unittest.TestCase):
  def setUp(self):
    temporary = tempfile.TemporaryDirectory()
    self.addCleanup(temporary.cleanup)
    self.folder = temporary.name
    picture = mock.patch.object(page.Page, 'picture')
    picture.start()
    self.addCleanup(picture.stop)

  def make(self, parts, cifar=None, fails=''):
    self.kept = MadeUpRuns(fails)
    arguments = argparse.Namespace(more=False, quick=True, jobs=1, cifar=cifar)
    speech = omc_speech.Speech('index', 'bin', self.folder, True)
    with contextlib.redirect_stdout(io.StringIO()):
      return omc.make(omc.Job(arguments, self.folder, self.folder, self.kept, speech, [1]), parts)

  def test_a_part_made_alone_leaves_the_others_as_they_were(self):
    path = os.path.join(self.folder, 'omc.md')
    write_parts(path, omc_page.head(), {name: f'## {name}, old' for name in omc_page.ORDER}, omc_page.ORDER)
    made, failures = self.make(['ablation'])
    write_parts(path, omc_page.head(), made, omc_page.ORDER)
    with open(path, encoding='utf-8') as file:
      there = split_parts(file.read())
    self.assertEqual((list(there), failures), (list(omc_page.ORDER), []))
    for name in set(there) - {'ablation'}:
      self.assertEqual(there[name], f'## {name}, old')
    self.assertIn('+ stochastic rounding', there['ablation'])

  def test_all_parts_together_are_all_that_the_page_has_but_what_is_written_by_hand(self):
    made, _ = self.make(omc.PARTS, cifar='folder')
    self.assertEqual({*made, 'targets'}, set(omc_page.ORDER))

  def test_an_error_rate_above_the_limit_makes_the_table_void(self):
    made, _ = self.make(['speech'])
    self.assertEqual(made['speech'].count('the table is void'), 2)
    with mock.patch.object(omc_speech.void, '__defaults__', (0.5,)):
      self.assertNotIn('void', self.make(['speech'])[0]['speech'])

  def test_without_cifar_its_part_is_not_made(self):
    self.assertEqual(list(self.make(['images'])[0]), ['fashion'])

  def test_six_bits_for_all_need_no_run_of_another_format(self):
    made, _ = self.make(['small'])
    self.assertIn('| by speaker | 6 bits: S1E2M3, scales for 64, all tensors |', made['small'])
    self.assertEqual(self.kept.asked[0], 'checkpoint')
    codecs = {omc_speech.file_name(codec) for _, codec in omc_speech.SMALL}
    self.assertEqual({name.split('-')[0] for name in self.kept.asked[1:] if not name.startswith('memory')}, codecs)

  def test_a_part_that_fails_costs_no_other(self):
    made, failures = self.make(['ablation', 'images'], fails='fp32-full-iid-1')
    self.assertEqual((list(made), failures), (['fashion'], ['a reason']))


class ProcessesTest(unittest.TestCase):
  SPEECH = omc_speech.Speech('an4/index.tsv', 'bin', 'folder')
  ROW = {'sha256': 'ab', 'down': 1000, 'up': 2000, 'accuracy': 0.75}

  def test_both_are_told_the_same(self):
    config, commands = omc_processes.configuration(self.SPEECH), omc_processes.commands(self.SPEECH).splitlines()
    for name, field in (('rounds', 'rounds: 2 '), ('learning-rate', 'learning_rate: 0.0005 '), ('momentum', 'momentum: 0.9 '),
                        ('batch', 'batch_size: 8 '), ('server-rate', 'fed_adam { learning_rate: 0.002 }'),
                        ('clients', 'clients: 8 '), ('epochs', 'local_epochs: 1 '), ('seed', 'seed: 1 ')):
      value = field.replace(' }', '').split()[-1]
      self.assertIn(field, config)
      self.assertIn(f'--{name}={value} ', commands[-1] + ' ')
    for flag in ('--model=conformer-xs', '--partition=speaker', '--seed=1', '--weights=packed', '--data=an4/index.tsv'):
      self.assertEqual([flag in command for command in commands], [False, True, True, True], flag)

  def test_fewer_samples_are_fewer_for_both(self):
    quick = omc_speech.Speech('index', 'bin', 'folder', True)
    self.assertIn('--samples=96', omc_processes.client_flags(omc_processes.options(quick), 'index'))
    self.assertIn('rounds: 1 ', omc_processes.configuration(quick))

  def test_a_row_has_the_hash_of_the_exported_model(self):
    with tempfile.TemporaryDirectory() as folder:
      with open(os.path.join(folder, 'model'), 'wb') as model:
        model.write(b'abc')
      row = omc_processes.row_of({'model_path': 'model', 'accuracy': 0.75, 'trainer_traffic': {
          'down': {'payload_bytes': '1000'}, 'up': {'payload_bytes': '2000'}}}, folder)
    self.assertEqual(row, {**self.ROW, 'sha256': 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'})
    self.assertEqual(omc_processes.line('one', self.ROW), ['one', 'ab', '1,000', '2,000', '0.2500'])

  def test_what_differs_is_named(self):
    self.assertRegex(omc_processes.verdict(self.ROW, dict(self.ROW)), '^The same model')
    for key, name in (('sha256', 'model'), ('down', 'bytes down'), ('up', 'bytes up'), ('accuracy', 'error rate')):
      self.assertEqual(omc_processes.verdict(self.ROW, {**self.ROW, key: 0}), f'They differ in: {name}.')


class CommandTest(unittest.TestCase):
  def test_the_page_says_the_whole_command(self):
    for flag in ('--data', '--cifar', '--quick'):
      self.assertIn(flag, omc_page.head(' --quick').split('`')[1])

  def test_a_folder_that_is_not_there_is_named(self):
    with contextlib.redirect_stderr(io.StringIO()) as said, self.assertRaises(SystemExit):
      omc.parse(['--data', __file__, '--cifar', '/nowhere'])
    self.assertIn('there is no folder /nowhere', said.getvalue())


if __name__ == '__main__':
  unittest.main()
