"""What the experiments' tables rest on: kept runs, intervals, tables."""
import contextlib
import io
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'experiments'))
from lib import figures  # noqa: E402  pylint: disable=wrong-import-position
from lib.kept_runs import FailedRuns, KeptRuns, Run  # noqa: E402  pylint: disable=wrong-import-position


class RanksTest(unittest.TestCase):
  def test_equal_values_share_a_rank(self):
    self.assertEqual(figures.ranks([5, 1, 5, 7]), [2.5, 1, 2.5, 4])

  def test_correlation_heeds_order_only(self):
    self.assertAlmostEqual(figures.rank_correlation([1, 2, 30], [4, 5, 6]), 1)
    self.assertAlmostEqual(figures.rank_correlation([1, 2, 30], [6, 5, 4]), -1)
    self.assertAlmostEqual(figures.rank_correlation([1, 2, 3, 4], [2, 1, 4, 3]), 0.6)

  def test_two_points_or_one_value_have_none(self):
    self.assertIsNone(figures.rank_correlation([1, 2], [3, 4]))
    self.assertIsNone(figures.rank_correlation([1, 2, 3], [4, 4, 4]))

  def test_differences_are_taken_value_by_value(self):
    mean, deviation = figures.paired_difference([3, 5], [1, 1])
    self.assertEqual(mean, 3)
    self.assertAlmostEqual(deviation, 2**0.5)


class KeptRunsTest(unittest.TestCase):
  def setUp(self):
    temporary = tempfile.TemporaryDirectory()
    self.addCleanup(temporary.cleanup)
    self.folder, self.calls = temporary.name, []

  def make(self, name, settings, fails=False):
    def work():
      self.calls.append(name)
      if fails:
        raise RuntimeError('a reason')
      return {'value': len(self.calls)}
    return Run(name, settings, work)

  def all(self, runs, **options):
    with contextlib.redirect_stdout(io.StringIO()):
      return KeptRuns(self.folder, **options).all(runs)

  def test_a_finished_run_is_not_run_again(self):
    first = self.all([self.make('a', {'x': 1})])
    self.assertEqual(self.all([self.make('a', {'x': 1})]), first)
    self.assertEqual(self.calls, ['a'])

  def test_what_was_run_fresh_is_kept_for_the_parts_that_follow(self):
    with contextlib.redirect_stdout(io.StringIO()):
      fresh = KeptRuns(self.folder, fresh=True)
      first = fresh.all([self.make('a', {})])
      self.assertEqual(fresh.all([self.make('a', {})]), first)
    self.assertEqual(self.calls, ['a'])

  def test_other_settings_are_another_run(self):
    self.all([self.make('a', {'x': 1})])
    self.assertEqual(self.all([self.make('a', {'x': 2})])['a']['value'], 2)

  def test_a_forgotten_run_is_run_again(self):
    run = self.make('a', {})
    self.all([run])
    KeptRuns(self.folder).forget(run)
    KeptRuns(self.folder).forget(self.make('never', {}))
    self.assertEqual(self.all([run])['a']['value'], 2)

  def test_fresh_runs_all_again(self):
    self.all([self.make('a', {})])
    self.all([self.make('a', {})], fresh=True)
    self.assertEqual(self.calls, ['a', 'a'])

  def test_a_failed_run_is_named_and_the_others_are_kept(self):
    with self.assertRaisesRegex(FailedRuns, '1 of 2 runs failed.*\n.*a: a reason'):
      self.all([self.make('a', {}, fails=True), self.make('b', {})])
    self.assertEqual(self.all([self.make('b', {})])['b']['value'], 2)


class FiguresTest(unittest.TestCase):
  def test_spread_has_mean_deviation_and_range(self):
    self.assertEqual(figures.spread([0.1, 0.2, 0.3], 2), '0.20 ± 0.10 (0.10..0.30)')
    self.assertEqual(figures.spread([0.5], 1), '0.5 ± 0.0 (0.5..0.5)')

  def test_equal_errors_have_an_interval_of_zero(self):
    self.assertEqual(figures.paired_interval([[1, 0, 2]], [[1, 0, 2]], [3, 3, 4]), (0.0, 0.0))

  def test_the_same_difference_everywhere_has_no_width(self):
    low, high = figures.paired_interval([[2, 2], [2, 2]], [[1, 1], [1, 1]], [4, 4])
    self.assertEqual((low, high), (0.25, 0.25))

  def test_one_recording_in_two_spans_all_draws(self):
    # Drawn twice, once or never: with probability 1/4, 1/2, 1/4.
    self.assertEqual(figures.paired_interval([[1, 0]], [[0, 0]], [1, 1]), (0.0, 1.0))

  def test_pairing_narrows_the_interval(self):
    hard = [[5 * (u % 2) + (u % 7 == 0) for u in range(50)]]
    base = [[5 * (u % 2) for u in range(50)]]
    low, high = figures.paired_interval(hard, base, [10] * 50)
    self.assertLess(high - low, 0.03)  # unpaired it would be ten times as wide
    self.assertGreaterEqual(low, 0)

  def test_a_plot_that_fails_says_why(self):
    with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex((RuntimeError, FileNotFoundError), 'gnuplot'):
      figures.plot(os.path.join(folder, 'a.png'), 'plot nonsense here', {})


if __name__ == '__main__':
  unittest.main()
