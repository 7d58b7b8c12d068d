"""Which rate ./run experiment igc takes, what is on the front, and what its page says."""
import math
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'experiments'))
from lib import igc_cost, igc_page, igc_tasks  # noqa: E402  pylint: disable=wrong-import-position
from lib.kept_runs import Run  # noqa: E402  pylint: disable=wrong-import-position
from lib.simulated_run import FailedFederation, row_of  # noqa: E402  pylint: disable=wrong-import-position

OPTIONS = {'rounds': 8, 'evaluate-every': 4, 'samples': 900}


def row(accuracy, loss, up=1e6, down=1e6):
  return {'accuracy': accuracy, 'loss': loss, 'cpu_seconds': 1, 'revision': 'x',
          'seen': [{'round': 8, 'payload': up + down, 'accuracy': accuracy, 'loss': loss}],
          'payload_up': [up * 3 / 4, up / 4], 'trainers': {'up': {'payload': up}, 'down': {'payload': down}}}


class RatesTest(unittest.TestCase):
  def setUp(self):
    self.task = igc_tasks.Task('t', 'T', OPTIONS, (0.1, 1), (10, 100))
    self.methods = igc_tasks.subspaces(1000, 4, 2)
    static = self.methods[0]
    self.rows = {self.task.run(static, 10, 1).name: row(0.9, 0.5), self.task.run(static, 100, 1).name: row(0.8, 0.4)}

  def test_the_lowest_loss_decides(self):
    self.assertEqual(igc_tasks.best_rate(self.task, self.methods[0], self.methods, self.rows, [1]), 100)

  def test_a_rate_that_failed_with_another_seed_gives_way(self):
    rows = {**self.rows, self.task.run(self.methods[0], 100, 2).name: {'failed': 'why'}}
    self.assertEqual(igc_tasks.best_rate(self.task, self.methods[0], self.methods, rows, [1, 2]), 10)

  def test_rates_go_on_beyond_the_end_that_is_best(self):
    static = self.methods[0]

    def tried(losses):
      rows = {self.task.run(static, rate, 1).name: row(0.5, loss) for rate, loss in losses.items()}
      return igc_tasks.rates_to_try(self.task, static, rows)
    self.assertEqual(tried({}), [10, 100])
    self.assertEqual(tried({10: 0.5}), [10, 100])
    self.assertEqual(tried({10: 0.5, 100: 0.4}), [10, 100, 300])
    self.assertEqual(tried({10: 0.4, 100: 0.5}), [3.3, 10, 100])
    self.assertEqual(tried({10: 0.5, 100: 0.4, 300.0: 0.6}), [10, 100, 300])

  def test_no_more_rates_are_tried_than_the_task_allows(self):
    self.task.most_rates = 2
    self.assertEqual(igc_tasks.rates_to_try(self.task, self.methods[0], self.rows), [10, 100])

  def test_a_method_can_take_another_ones_rate_scaled(self):
    like = igc_tasks.like_static('d250', '', 'igc:d=250', scale=4)
    self.assertEqual(igc_tasks.best_rate(self.task, like, self.methods, self.rows, [1]), 400)

  def test_what_a_method_says_goes_before_the_task(self):
    fewer = next(method for method in igc_tasks.rivals(OPTIONS, (7, 5), (3, 90)) if method.name == 'fedavg4')
    settings = self.task.run(fewer, 0.1, 2).settings
    self.assertEqual((settings['rounds'], settings['evaluate-every'], settings['epochs']), (2, 1, 4))
    self.assertEqual((settings['plan'], settings['learning-rate'], settings['seed']), ('fp32', 0.1, 2))


class RivalsTest(unittest.TestCase):
  def test_each_k_is_tuned_by_itself(self):
    by_name = {method.name: method for method in igc_tasks.rivals(OPTIONS, (400, 30), (3, 800))}
    self.assertEqual((by_name['topk'].plan, by_name['topk30'].plan), ('topk:k=400', 'topk:k=30'))
    self.assertEqual((by_name['topk'].tuned_like, by_name['topk30'].tuned_like), ('', ''))
    self.assertEqual(by_name['fetchsgd'].plan, 'fetchsgd:rows=3,columns=800,k=400,momentum=0')
    self.assertEqual(by_name['fetchsgd_small'].plan, 'fetchsgd:rows=3,columns=80,k=30,momentum=0')

  def test_one_step_is_of_all_samples_that_a_client_may_have(self):
    for method in igc_tasks.rivals(OPTIONS, (400, 30), (3, 800)):
      self.assertEqual(method.options.get('batch'), 900 if 'one step' in method.label else None, method.label)

  def test_a_federation_that_failed_is_the_worst_rate(self):
    def fail():
      raise FailedFederation('3 rounds failed')
    row = igc_tasks.with_divergence(Run('n', {}, fail)).work()
    self.assertEqual((row['loss'], row['failed']), (math.inf, '3 rounds failed'))


class StudiesTest(unittest.TestCase):
  def test_what_methods_run_is_not_run_again(self):
    methods = igc_tasks.subspaces(1024, 4, 2)
    studies = igc_tasks.studies(1024, 4, OPTIONS, methods)
    self.assertIs(studies['d'][2][1], methods[0])
    self.assertIs(studies['bits'][2][2], methods[3])
    self.assertIs(studies['d'][2][0], studies['k_e'][2][0])

  def test_the_rate_goes_with_one_over_d(self):
    sizes = igc_tasks.studies(1024, 4, OPTIONS, igc_tasks.subspaces(1024, 4, 2))['d'][2]
    self.assertEqual([(one.plan, one.scale) for one in sizes],
                     [('igc:d=256', 4), ('igc:d=1024', 1), ('igc:d=4096', 0.25)])


class PageTest(unittest.TestCase):
  def test_the_front_is_what_nothing_beats_for_as_many_bytes(self):
    results = {'dear': [row(0.9, 0, 5e6)], 'cheap': [row(0.5, 0, 1e3)], 'poor': [row(0.4, 0, 1e6)]}
    self.assertEqual([igc_page.on_front(results, name) for name in results], [True, True, False])

  def test_a_row_says_rates_accuracy_and_bytes(self):
    method = igc_tasks.subspaces(1000, 4, 2)[0]
    dense = [row(0.9, 0.3, 10e6, 30e6)]
    results = {'static': [row(0.5, 0.7, 1e6, 3e6)], 'fedavg': dense}
    (line,) = igc_page.lines_of([method], {'static': [10, 100]}, {'static': 10}, results, dense)
    self.assertEqual(line[1:3], ['10, 100', '10'])
    self.assertEqual(line[5:], ['1.00', '3.00', '4.00', '10.0', 'yes'])


class SimulatedRunTest(unittest.TestCase):
  RESULT = {'state': 'COMPLETED', 'reason': '', 'cpu_seconds': 2, 'trainers': {}, 'rounds': [
      {'round': 1, 'payload_down': 10, 'payload_up': 1},
      {'round': 2, 'payload_down': 20, 'payload_up': 2, 'accuracy': 0.5, 'eval_loss': 0.7}]}

  def test_bytes_add_up_to_each_evaluation(self):
    self.assertEqual(row_of(self.RESULT)['seen'], [{'round': 2, 'payload': 33, 'accuracy': 0.5, 'loss': 0.7}])

  def test_a_run_that_was_not_completed_is_no_row(self):
    with self.assertRaisesRegex(RuntimeError, 'FAILED: why'):
      row_of({**self.RESULT, 'state': 'FAILED', 'reason': 'why'})


class RivalsWithinTest(unittest.TestCase):
  def setUp(self):
    self.methods = [igc_tasks.Method('dense', 'Dense', 'fp32'), igc_tasks.Method('sparse', 'Sparse', 'topk:k=1'),
                    igc_tasks.Method('static', 'Static', 'igc:d=1', subspace=True)]

  def results(self, static_megabytes):
    sparse = row(0.3, 0, 1e6, 1e6)
    sparse['seen'] = [{'payload': 1e6, 'accuracy': 0.4}, {'payload': 2e6, 'accuracy': 0.3}]
    dense = row(0.9, 0, 200e6, 200e6)
    return {'dense': [dense] * 2, 'sparse': [sparse] * 2,
            'static': [row(0.5, 0, static_megabytes * 1e6, 0), row(0.6, 0, static_megabytes * 1e6, 0)]}

  def rows(self, static_megabytes):
    results = self.results(static_megabytes)
    return igc_page.rivals_within(self.methods, results, results['dense'])

  def test_a_rival_counts_at_its_best_evaluation_within_the_bytes(self):
    self.assertEqual(self.rows(2.5), [['Static', '2.50', '160', '0.5500', 'Sparse', '0.4000', '+0.1500 ± 0.0707']])

  def test_where_no_rival_has_come_that_far_it_says_so(self):
    self.assertEqual(self.rows(0.5)[0][4:], ['none', '-', '-'])

  def test_what_takes_more_than_a_hundredth_is_left_out(self):
    self.assertEqual(self.rows(5), [])


class CostTest(unittest.TestCase):
  def test_seconds_are_of_a_round_and_against_fp32(self):
    def rows(*seconds):
      return [{'cpu_seconds': one, 'settings': {'rounds': 4}} for one in seconds]
    lines = igc_cost.lines_of({'fp32': rows(40.0, 40.0), 'igc:d=4096': rows(43.0, 41.0)})
    self.assertEqual([line[1:] for line in lines], [['10.00 ± 0.00', '+0.0 %'], ['10.50 ± 0.35', '+5.0 %']])

  def test_both_plans_run_the_same_rounds(self):
    runs = igc_cost.runs('data', 'bin', 'states', 2)
    self.assertEqual([len(several) for several in runs.values()], [2, 2])
    settings = [dict(several[0].settings, plan='') for several in runs.values()]
    self.assertEqual(settings[0], settings[1])


if __name__ == '__main__':
  unittest.main()
