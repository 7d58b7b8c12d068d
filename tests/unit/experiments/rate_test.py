"""Hulls of ./run experiment rate, and what is read off them."""
import math
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'experiments'))
from lib import rate_curves, rate_page  # noqa: E402  pylint: disable=wrong-import-position


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


if __name__ == '__main__':
  unittest.main()
