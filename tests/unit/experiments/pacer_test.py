"""What ./run experiment pacer reads off an interface's counter."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'experiments'))
import pacer  # noqa: E402  pylint: disable=wrong-import-position

RATE = 8000  # a thousand bytes a second


def counter(until, rate_of):
  """Looks every tenth of a second at bytes that come at `rate_of(second)` a second."""
  points, count = [], 0
  for tick in range(10 * until):
    points.append((tick / 10, count))
    count += rate_of(tick // 10) / 10
  return points


class PacerTest(unittest.TestCase):
  def test_windows_have_ten_seconds(self):
    found = pacer.windows(counter(12, lambda _: 1000))
    self.assertAlmostEqual(found[0][2], 10000)
    self.assertTrue(all(abs(end - begin - 10) < 0.11 for begin, end, _ in found))

  def test_an_upload_begins_and_ends_with_its_bytes(self):
    (begin, end), = pacer.uploads(counter(40, lambda second: 1000 if 5 <= second < 30 else 10), RATE)
    self.assertLess(abs(begin - 4.5), 0.3)
    self.assertLess(abs(end - 29.5), 0.3)

  def test_the_least_is_of_uploads_and_the_most_of_all(self):
    least, most, count = pacer.shares(counter(60, lambda second: 1000 if second < 30 else 0), RATE)
    self.assertAlmostEqual(least, 1, places=2)
    self.assertAlmostEqual(most, 1, places=2)
    self.assertGreater(count, 100)

  def test_a_burst_is_seen(self):
    _, most, _ = pacer.shares(counter(60, lambda second: 3000 if second == 20 else 1000), RATE)
    self.assertAlmostEqual(most, 1.2, places=2)

  def test_a_pause_is_seen(self):
    least, _, _ = pacer.shares(counter(60, lambda second: 600 if 20 <= second < 30 else 1000), RATE)
    self.assertAlmostEqual(least, 0.6, places=2)

  def test_without_an_upload_of_ten_seconds_there_is_no_figure(self):
    with self.assertRaisesRegex(RuntimeError, 'no upload lasted 10 s'):
      pacer.shares(counter(60, lambda second: 1000 if second < 5 else 0), RATE)


if __name__ == '__main__':
  unittest.main()
