"""The parts of docs/results/omc.md with their tables as CSV and their plots, made of kept rows. Each function here adds
what it shows to its Page, and returns the part's title and the text that stands above all that."""
import statistics

from lib import omc_images, omc_speech
from lib.figures import deviation
from lib.omc_speech import PARTITIONS


ORDER = ('speech', 'small', 'ablation', 'fashion', 'cifar')
HEAD = '''# Online model compression in figures

Made by `./run experiment omc --data an4/index.tsv --cifar cifar-10-batches-bin%s`, part by part.

Codecs are written as on command lines ([omc.md](../omc.md#knobs)) and used in both directions. Clients hold their matrices
packed in the downlink's format (`--weights packed`), with FP32 in full. ± is the standard deviation over seeds, which
change partition, order of samples, masks, dropout and rounding; the range is in parentheses.'''


def head(flags=''):
  """What stands above all parts; `flags` end the command."""
  return HEAD % flags


def speech(page, job, rows, seeds, formats):
  """rows: kept rows by run name."""
  memory, start = memory_of(job, rows, formats), rows[job.checkpoint().name]
  speech_tables(page, 'speech', job, rows, seeds, formats)
  for what, axis in (('loss', 'loss, nats per recording'), ('wer', 'word error rate')):
    points = {partition: points_of(job, rows, seeds, formats, partition, what) for partition, _ in PARTITIONS}
    level = f', {start["test_loss"]} with lines dt 2 lc "gray40" title "checkpoint"' if what == 'loss' else ''
    page.picture(f'speech_{what}', f'{axis} against payload', SCRIPT % (axis, level), points)
  options = job.federation
  return 'Speech', f'''CMU AN4, {job.MODEL} ({memory['fp32']['parameters']:,} parameters). One FP32 checkpoint, trained on three quarters of the
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
payloads of all trainers in the whole run. Speed compares the processor time of whole runs.'''


def memory_of(job, rows, formats):
  return {codec: rows[job.memory(codec).name] for _, codec in formats}


def results_of(job, rows, seeds, formats, partition):
  """Rows of each seed by codec."""
  return {codec: [rows[job.run(codec, partition, seed).name] for seed in seeds] for _, codec in formats}


def speech_tables(page, name, job, rows, seeds, formats):
  """The table of these formats, which codecs they are, and whether it counts."""
  memory, start, lines = memory_of(job, rows, formats), rows[job.checkpoint().name]['test_loss'], []
  for partition, label in PARTITIONS:
    results = results_of(job, rows, seeds, formats, partition)
    lines += omc_speech.table(results, memory, formats, label, start)
    page.seen(row for its in results.values() for row in its)
    if warning := omc_speech.void(results['fp32']):
      page.add(f'**{label}: {warning}**')
  page.seen([*memory.values(), rows[job.checkpoint().name]])
  page.table(name, omc_speech.HEAD, lines)
  page.add('Codecs: ' + '; '.join(f'{label} is `{codec}`' for label, codec in formats) + '.')


def points_of(job, rows, seeds, formats, partition, what):
  """(payload in percent, mean, deviation) of `what` for each format."""
  results = results_of(job, rows, seeds, formats, partition)
  return [(omc_speech.share(results[codec], 'down'), *mean_and_deviation(results[codec], what)) for _, codec in formats]


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


def small(page, job, rows, seeds, formats):
  speech_tables(page, 'small', job, rows, seeds, formats)
  return 'Six bits for all', SMALL


SMALL = '''Speech's federations, with all tensors coded: biases and norms travel in 6 bits too. In a client's memory they are FP32.'''


def ablation(page, job, rows, seeds):
  results = {(codec, weights): [rows[job.run(codec, 'iid', seed, weights).name] for seed in seeds]
             for _, codec, weights in omc_speech.ABLATION}
  reference = [rows[job.run('fp32', 'iid', seed).name] for seed in seeds]
  page.seen(row for its in (*results.values(), reference) for row in its)
  page.table('ablation', *omc_speech.ablation_table(
      results, reference, rows[job.checkpoint().name]['test_loss']))
  return 'What each part does, at 6 bits', ABLATION


ABLATION = '''The same federations, IID, at S1E2M3. Each line adds to the one above; up to the last, packed weights are rounded to
nearest after each step.'''


def images(page, job, rows, seeds):
  """One data set."""
  page.table(job.name, omc_images.HEAD, job.lines(lambda run: rows[run.name], seeds))
  page.seen(rows[job.run(codec, seed).name] for _, codec in omc_images.FORMATS for seed in seeds)
  return f'{job.label}, from scratch', IMAGES % describe(job.options)


IMAGES = '''`%s`. Server, clients and evaluator are processes; wire is TCP payload counted by a proxy between them.'''


def describe(options):
  return ' '.join(f'--{name} {value}' for name, value in options.items() if name != 'data')
