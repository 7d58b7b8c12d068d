"""What ./run experiment rate reads off its measurements."""
import math
import os
import sys
import tempfile
import unittest
import unittest.mock

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'experiments'))
from lib import (parts, rate_accuracy, rate_accuracy_page, rate_answers, rate_curves, rate_link, rate_link_page,  # noqa: E402
                 rate_nets, rate_page, rate_settings)  # pylint: disable=wrong-import-position


class HullTest(unittest.TestCase):
  POINTS = [(1, -1), (2, -1.2), (3, -3), (4, -2.5), (2, -2.5)]

  def test_only_what_no_mixture_beats_stays(self):
    self.assertEqual(rate_curves.hull(self.POINTS), [(1, -1), (2, -2.5), (3, -3)])

  def test_errors_lie_on_it_and_end_with_it(self):
    corners = rate_curves.hull(self.POINTS)
    self.assertIsNone(rate_curves.error_at(corners, 0.9))
    self.assertEqual(rate_curves.error_at(corners, 1), -1)
    self.assertEqual(rate_curves.error_at(corners, 1.5), -1.75)
    self.assertEqual(rate_curves.error_at(corners, 9), -3)

  def test_rates_lie_on_it_and_not_beyond(self):
    corners = rate_curves.hull(self.POINTS)
    self.assertEqual(rate_curves.rate_at(corners, -1.75), 1.5)
    self.assertIsNone(rate_curves.rate_at(corners, -0.5))
    self.assertIsNone(rate_curves.rate_at(corners, -3.1))

  def test_nothing_has_no_hull(self):
    self.assertIsNone(rate_curves.error_at([], 1))
    self.assertIsNone(rate_curves.rate_at([], -1))


class SettingsTest(unittest.TestCase):
  def row(self, *points):
    return {'parameters': 1000000, 'updates': {'u': [
        {'asked': rate, 'rate': rate, 'distortion': [error, error], 'encode_seconds': 0.5, 'decode_seconds': 0.25}
        for rate, error in points]}}

  def test_the_better_setting_counts_at_each_rate(self):
    curves = rate_curves.hulls([self.row((1, 0.5), (2, 0.4)), self.row((1, 0.6), (2, 0.1))], 0)
    self.assertAlmostEqual(math.exp(rate_curves.mean_at(curves, rate_curves.error_at, 1)), 0.5)
    self.assertAlmostEqual(math.exp(rate_curves.mean_at(curves, rate_curves.error_at, 2)), 0.1)

  def test_an_update_without_a_point_makes_a_dash(self):
    row = self.row((1, 0.5))
    row['updates']['v'] = []
    self.assertIsNone(rate_curves.mean_at(rate_curves.hulls([row], 0), rate_curves.error_at, 1))
    self.assertEqual(rate_page.speed(row, 1, 'encode_seconds'), '-')

  def test_speeds_are_values_a_second(self):
    self.assertEqual(rate_page.speed(self.row((1, 0.5)), 1, 'encode_seconds'), '2.0')
    self.assertEqual(rate_page.speed(self.row((1, 0.5)), 1, 'decode_seconds'), '4.0')


class ByRTest(unittest.TestCase):
  def table(self, counts):
    page = unittest.mock.Mock()
    rows = {codec: [{'updates': {'u': [{'asked': rate, 'rate': rate, 'distortion': [10**-r] * 4} for rate in (0.25, 1)]}}
                    for r in range(1, 1 + count)] for codec, count in zip(rate_page.BY_R, counts)}
    rate_page.by_r_table(page, 'updates', rows, 2)
    return page.table.call_args

  def test_codecs_stand_side_by_side_at_each_r(self):
    name, head, lines = self.table((2, 2, 2))[0]
    self.assertEqual(name, 'updates_by_r')
    self.assertEqual(len(head), 1 + len(lines[0][1:]))
    self.assertEqual(lines, [[1] + ['10.0'] * 6, [2] + ['20.0'] * 6])

  def test_settings_for_other_rs_are_not_compared(self):
    self.assertIsNone(self.table((1, 1, 2)))


class PartsTest(unittest.TestCase):
  def test_a_part_takes_the_place_of_its_former_self_and_others_stay(self):
    with tempfile.TemporaryDirectory() as folder:
      path = os.path.join(folder, 'page.md')
      parts.write_parts(path, '# Head', {'b': '## B\n\nold', 'a': '## A'})
      parts.write_parts(path, '# Head, new', {'b': '## B\n\nnew', 'd': '## D'})
      with open(path, encoding='utf-8') as file:
        self.assertEqual(file.read(), '# Head, new\n\n<!-- part a -->\n## A\n\n<!-- part b -->\n## B\n\nnew\n\n'
                                      '<!-- part d -->\n## D\n')

  def test_a_page_without_parts_has_none(self):
    self.assertEqual(parts.split_parts('# Head\n\nText\n'), {})


class NetsTest(unittest.TestCase):
  def test_one_update_of_each_round_asked_for_stays(self):
    with tempfile.TemporaryDirectory() as folder:
      for name in ('r01_c10.npy', 'r01_c2.npy', 'r08_c3.npy', 'r09_c0.npy', 'meta.json'):
        with open(os.path.join(folder, name), 'w', encoding='utf-8'):
          pass
      rate_nets.keep_first(folder, (1, 8))
      self.assertEqual(sorted(os.listdir(folder)), ['meta.json', 'r01_c2.npy', 'r08_c3.npy'])


class MeasuredTest(unittest.TestCase):
  def measured(self, errors):
    return rate_accuracy.Measured({text: {'parameters': 10, 'updates': {'u': [
        {'asked': 0.25, 'distortion': [at_0, at_1, at_2]}] if at_0 else []}} for text, (at_0, at_1, at_2) in errors.items()})

  def test_each_codec_takes_its_best_setting_by_its_own_error(self):
    measured = self.measured({f'm22:bits=1,r={r},m=2': its for r, its in enumerate(
        [(0.3, 0, 0.2), (0.4, 0, 0.1), (0.5, 0, 0.3), (0.6, 0, 0.3), (0.7, 0, 0.3), (None, 0, 0)], 1)})
    self.assertEqual(rate_accuracy.plan_of(('m22', 0.25), measured)[0], 'm22:bits=0.25,r=2,m=2')
    self.assertAlmostEqual(rate_accuracy.plan_of(('m22', 0.25), measured)[1], 0.4)

  def test_without_a_string_that_short_there_is_no_plan(self):
    measured = self.measured({'qsgd:bits=1,bucket=512': (None, 0, 0)})
    self.assertEqual(rate_accuracy.plan_of(('qsgd', 0.25), measured), (None, None))

  def test_error_feedback_is_part_of_the_plan(self):
    measured = self.measured({'rdu:bits=1': (0.1, 0, 0)})
    self.assertEqual(rate_accuracy.plan_of(('rdu-ef', 0.25), measured)[0], 'rdu:bits=0.25,decay=1')


class AccuracyTest(unittest.TestCase):
  def line(self, name, bits, accuracies, error=None, refused=''):
    size = round((bits or 32) * 100 / 8)
    rows = [{'accuracy': value, 'loss': 1, 'payload_up': [999, 2 * size, 2 * size]} for value in accuracies]
    return rate_accuracy.Line(rate_settings.CODECS[name], bits, 'plan', error, rows, refused)

  def lines(self):
    return [self.line('fp32', None, [0.8, 0.82]), self.line('rdu', 0.08, [0.80, 0.81], 0.1),
            self.line('rdu', 0.24, [0.81, 0.81], 0.02), self.line('rdu-ef', 0.08, [0.70, 0.81], 0.1),
            self.line('m22', 0.08, [0.6, 0.62], 0.6), self.line('eden', 0.08, [], 0.9, 'a reason')]

  def test_the_uplink_is_of_one_update_and_not_of_the_first_round(self):
    self.assertEqual(self.lines()[2].uplink(2, 100), 0.24)

  def test_differences_are_judged_by_their_own_spread(self):
    lines = self.lines()
    self.assertEqual(rate_answers.verdict(lines[1], lines[4]), 'above')
    self.assertEqual(rate_answers.verdict(lines[4], lines[1]), 'below')
    self.assertEqual(rate_answers.verdict(lines[1], lines[3]), 'within the spread')
    self.assertEqual(rate_answers.verdict(self.line('rdu', 1, [0.9]), self.line('m22', 1, [0.1])), 'of one seed')

  def test_rivals_are_those_of_the_same_budget_that_ran(self):
    rows = rate_answers.comparison(self.lines(), 0.08, 2, 100)
    self.assertEqual([row[1:3] for row in rows], [['rdu', 'M22, M = 2'], ['rdu, error feedback', 'M22, M = 2']])
    self.assertEqual(rate_answers.comparison(self.lines(), 1, 2, 100), [])

  def test_the_least_uplink_is_of_what_comes_within_a_point(self):
    self.assertEqual(rate_answers.least_uplinks(self.lines(), 2, 100),
                     {'rdu': 0.08, 'rdu, error feedback': None, 'M22, M = 2': None})

  def test_goals_say_which_rivals_stand_against_them(self):
    low = [self.line('fp32', None, [0.8, 0.82]), self.line('rdu', 0.05, [0.80, 0.81]),
           self.line('m22', 0.05, [0.6, 0.62]), self.line('eden', 0.05, [0.9, 0.9]),
           self.line('topk-uniform', 1, [0.7, 0.7])]
    above, five, two = rate_answers.goals(low, 2, 100)
    self.assertEqual(above[1:], ['1 of 2; not: EDEN (below)', 'no'])
    self.assertEqual(five[1:], ['more than 12.0 times (0.0800; none of 0.9600 or less came within a point)', 'yes'])
    self.assertEqual(two[1:], ['1.0 times (0.0800 and 0.0800)', 'no'])

  def test_without_rdu_within_a_point_the_goals_are_missed(self):
    lines = [self.line('fp32', None, [0.8, 0.82]), self.line('rdu', 0.25, [0.5, 0.5]), self.line('m22', 0.25, [0.4, 0.4])]
    self.assertEqual([row[2] for row in rate_answers.goals(lines, 2, 100)], ['yes', 'no', 'no'])
    lines.append(self.line('rdu-ef', 0.48, [0.81, 0.81]))
    self.assertEqual([row[2] for row in rate_answers.goals(lines, 2, 100)], ['yes', 'not shown', 'not shown'])

  def test_less_error_with_more_accuracy_is_a_correlation_of_minus_one(self):
    self.assertEqual(rate_answers.correlations(self.lines()), [['all budgets', 3, '-1.00']])

  def test_a_refusal_is_a_row_of_the_table(self):
    row = rate_accuracy_page.table_lines(self.lines(), 2, 100)[-1]
    self.assertIn('a reason', row)
    self.assertEqual(len(row), len(rate_accuracy_page.HEAD))

  def test_error_feedback_is_compared_where_both_ran(self):
    self.assertEqual([row[0] for row in rate_answers.feedback(self.lines())], ['0.08'])


class RefusalTest(unittest.TestCase):
  def test_a_run_without_accuracy_says_why(self):
    self.assertEqual(rate_accuracy.say({'refused': 'too little'}), 'refused: too little')
    self.assertEqual(rate_accuracy.say({'failed': 'ended as FAILED'}), 'ended as FAILED')
    self.assertEqual(rate_accuracy.say({'accuracy': 0.5}), 'accuracy 0.5000')
    self.assertEqual(rate_accuracy.why_not({'accuracy': 0.5}), '')


class SparseTest(unittest.TestCase):
  def test_entries_fill_the_budget_and_do_not_pass_it(self):
    k = rate_accuracy.entries_for(0.05, 1000000)
    bits = rate_accuracy.MANIFEST_BITS + k * (11 + math.log2(1000000 / k) + 1.5)
    self.assertLessEqual(bits, 50000)
    self.assertGreater(bits, 49900)


class LinkTest(unittest.TestCase):
  SETTINGS = {'accuracy': 0.8, 'limit': 1200, 'rounds': 100}
  ROW = {'published': {'0': [60, 1, 2, 0.1], '1': [100, 3, 4, None], '2': [140, 5e6, 6e6, 0.81], '10': [999, 7, 8, 0.9]},
         'seconds': 1000, 'down': 9e6, 'up': 8e6}
  SLOW = {'published': {'0': [300, 1, 2, 0.1], '1': [900, 3, 4, 0.5]}, 'seconds': 1201, 'down': 9e6, 'up': 8e6}

  def test_the_first_version_with_the_accuracy_counts(self):
    self.assertEqual(rate_link.first_with(self.ROW['published'], 0.8), [140, 5e6, 6e6, 0.81])
    self.assertIsNone(rate_link.first_with(self.ROW['published'], 0.95))

  def test_time_bytes_and_rounds_are_those_of_that_version(self):
    self.assertEqual(rate_link_page.line(64, 'rdu', self.ROW, self.ROW, self.SETTINGS),
                     [64, 'rdu', '140 s', '1.0 times as fast', 2, '0.8100', '5.000', '6.000', '313.0'])

  def test_what_does_not_get_there_in_time_says_so(self):
    self.assertEqual(rate_link_page.line(64, 'FP32', self.SLOW, self.SLOW, self.SETTINGS)[:6],
                     [64, 'FP32', 'not within 20 min', '-', 1, 'at most 0.5000'])
    self.assertEqual(rate_link_page.line(64, 'rdu', self.ROW, self.SLOW, self.SETTINGS)[3], '-')


if __name__ == '__main__':
  unittest.main()
