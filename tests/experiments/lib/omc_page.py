"""docs/results/omc.md with its tables as CSV and its plots, made of kept rows; parts that are not there yet are left out."""
import statistics

from lib import omc_images, omc_speech
from lib.figures import deviation
from lib.omc_speech import PARTITIONS


TITLE = 'Online model compression in figures'
TEXT = '''Codecs are written as on command lines ([omc.md](../omc.md#knobs)) and used in both directions. Clients hold their matrices
packed in the downlink's format (`--weights packed`), with FP32 in full. ± is the standard deviation over seeds, which
change partition, order of samples, masks, dropout and rounding; the range is in parentheses.'''


def speech(page, job, rows, seeds, formats):
  """rows: kept rows by run name."""
  memory = {codec: rows[job.memory(codec).name] for _, codec in formats}
  start = rows[job.checkpoint().name]
  lines, points = [], {}
  for partition, label in PARTITIONS:
    results = {codec: [rows[job.run(codec, partition, seed).name] for seed in seeds] for _, codec in formats}
    lines += omc_speech.table(results, memory, formats, label, start['test_loss'])
    for what in ('wer', 'loss'):
      points[what, partition] = [(omc_speech.share(results[codec], 'down'), *mean_and_deviation(results[codec], what))
                                 for _, codec in formats]
    page.seen(row for its in results.values() for row in its)
    if warning := omc_speech.void(results['fp32']):
      page.add(f'**{label}: {warning}**')
  options = job.federation
  page.add(f'''## Speech

CMU AN4, {job.MODEL} ({memory['fp32']['parameters']:,} parameters). One FP32 checkpoint, trained on three quarters of the
speakers ({start['epoch']:.0f} epochs, {start['cpu_seconds']:.0f} CPU s), has a word error rate of {start['wer']:.3f} and a loss of
{start['test_loss']:.2f} on the 130 test recordings, whose speakers are in no training set. From it, {options['clients']} clients with all
speakers train for {options['rounds']} rounds of {options['epochs']} epoch (SGD {options['learning-rate']}, momentum {options['momentum']}, batch {options['batch']}; the server's
Adam at {options['server-rate']}). WER is that of the server's model after the last round, decoded greedily; "as clients hold it" is the
same model as the evaluator received it. The interval is a paired bootstrap over recordings (10,000 draws), all seeds of
a recording together. The loss, CTC's in nats per recording, tells formats apart long before the words do: "of FP32's gain" is
how far it came down from the checkpoint's, FP32's way being 100 %. At 0 % and below nothing was learnt, and an error rate
like FP32's is only the checkpoint's.

Parameter memory is counted where the weights are held, peak resident memory is that of a client's process above what it
had with LibTorch and a batch of 8 recordings of 4 s loaded ([omc_memory.md](omc_memory.md) has 117 million parameters). Megabytes are
payloads of all trainers in the whole run. Speed compares the processor time of whole runs.''')
  page.table('speech', omc_speech.HEAD, lines)
  page.add('Codecs: ' + '; '.join(f'{name} is `{codec}`' for name, codec in formats) + '.')
  for what, axis in (('loss', 'loss, nats per recording'), ('wer', 'word error rate')):
    level = f', {start["test_loss"]} with lines dt 2 lc "gray40" title "checkpoint"' if what == 'loss' else ''
    page.picture(f'speech_{what}', f'{axis} against payload', SCRIPT % (axis, level),
                 {partition: points[what, partition] for partition, _ in PARTITIONS})


SCRIPT = '''set xlabel "payload, %% of FP32"
set ylabel "%s"
set logscale x 2
set xrange [11:115]
set xtics (14, 20, 28, 42, 64, 100)
set grid
plot $iid using ($1*0.99):2:3 with yerrorbars pt 7 title "IID", \\
  $speaker using ($1*1.01):2:3 with yerrorbars pt 5 title "by speaker"%s
'''


def mean_and_deviation(rows, what):
  values = [row[what] for row in rows]
  return statistics.mean(values), deviation(values)


def ablation(page, job, rows, seeds):
  results = {(codec, weights): [rows[job.run(codec, 'iid', seed, weights).name] for seed in seeds]
             for _, codec, weights in omc_speech.ABLATION}
  reference = [rows[job.run('fp32', 'iid', seed).name] for seed in seeds]
  page.seen(row for its in results.values() for row in its)
  page.add('''## What each part does, at 6 bits

The same federations, IID, at S1E2M3. Each line adds to the one above; up to the last, packed weights are rounded to
nearest after each step.''')
  page.table('ablation', *omc_speech.ablation_table(
      results, reference, rows[job.checkpoint().name]['test_loss']))


def images(page, jobs, rows, seeds):
  lines = []
  for job in jobs:
    lines += job.lines(lambda run: rows[run.name], seeds)
    page.seen(rows[job.run(codec, seed).name] for _, codec in omc_images.FORMATS for seed in seeds)
  page.add('## Images, from scratch\n\nServer, clients and evaluator are processes; wire is TCP payload counted by a proxy '
           'between them.\n' + '\n'.join(f"- **{job.label}**: {describe(job.options)}." for job in jobs))
  page.table('images', omc_images.HEAD, lines)


def describe(options):
  return ', '.join(f'`--{name} {value}`' for name, value in options.items() if name != 'data')
