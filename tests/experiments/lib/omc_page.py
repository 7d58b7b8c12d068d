"""The parts of docs/results/omc.md with their tables as CSV and their plots, made of kept rows. Each function here adds
what it shows to its Page, and returns the part's title and the text that stands above all that."""
import statistics

from lib import omc_images, omc_processes, omc_speech
from lib.figures import deviation
from lib.omc_speech import PARTITIONS


# Targets are written by hand: figures that were aimed at, against the tables.
ORDER = ('targets', 'speech', 'small', 'ablation', 'fashion', 'cifar', 'processes')
HEAD = '''# Online model compression in figures

Made by `./run experiment omc --data an4/index.tsv --cifar cifar-10-batches-bin%s`, part by part.

Codecs are written as on command lines ([omc.md](../omc.md#knobs)) and used in both directions. Clients hold their matrices
packed in the downlink's format (`--weights packed`), with FP32 in full. ± is the standard deviation over seeds, which
change partition, order of samples, masks, dropout and rounding; the range is in parentheses.

- **Programs.** Speech's federations run in one process, `thinwire-simulate`, which leaves the model of processes over gRPC,
  bit by bit ([simulate.md](../simulate.md#what-is-the-same-as-with-processes)); the last part compares the two on AN4. The
  images' servers, clients and evaluators are processes.
- **Bytes** are payloads, with their manifests, headers and scales, but without what gRPC and TCP add, unless a column says
  wire.
- **Memory** in speech's tables is that of another program, `thinwire-omc-memory`: the same model and packed weights in steps
  of plain SGD on random features. The momentum of the federations is not in it; it takes as much again as the weights, packed
  as they are.'''


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
  its = {partition: results_of(job, rows, seeds, formats, partition)['fp32'] for partition, _ in PARTITIONS}
  ends = {partition: f"{mean_and_deviation(reference, 'wer')[0]:.3f}" for partition, reference in its.items()}
  return 'Speech', SPEECH.format(
      model=job.MODEL, parameters=memory['fp32']['parameters'], start=start, federation=job.federation, ends=ends)


SPEECH = '''CMU AN4 ([speech.md](../speech.md#an4)), {model} ({parameters:,} parameters). One FP32 checkpoint, trained on three quarters of the
speakers ({start[epoch]:.0f} epochs, {start[cpu_seconds]:.0f} CPU s), has a loss of {start[test_loss]:.2f} and a word error rate of {start[wer]:.3f} on the 130 test
recordings, whose speakers are in no training set. From it, {federation[clients]} clients with all speakers train for {federation[rounds]} rounds of
{federation[epochs]} epoch (SGD {federation[learning-rate]}, momentum {federation[momentum]}, batch {federation[batch]}; the server's Adam at {federation[server-rate]}).

**Loss** is CTC's, in nats per recording, of the server's model after the last round. "Of FP32's gain" is how far it came down
from the checkpoint's, FP32's way being 100 %; at 0 % and below nothing was learnt. **WER** is of the same model, decoded greedily;
"as clients hold it": as the evaluator received it. It hardly tells formats apart: FP32's own way is from {start[wer]:.3f} to {ends[iid]} (IID)
and {ends[speaker]} (by speaker), so that a format which has learnt nothing has nearly FP32's error rate. The interval is a paired
bootstrap over recordings (10,000 draws), all seeds of a recording together.

**Parameter memory** is counted where the weights are held. Peak tensors is the most that LibTorch's allocator and the packed
weights held at once, in a step over 8 recordings of 4 s: nearly all of it is activations, so it falls by a few megabytes only.
Peak resident is the process above what it had with LibTorch and the batch loaded, with what malloc keeps of freed blocks; that
depends on the order of their sizes more than on their sum, so that more bits can take less. The same command takes the
same to 0.2 MB, but S1E3M7 took 146 MB in 3 steps, 150 in 8 and 154 in 10, and with `MALLOC_MMAP_THRESHOLD_=131072`, which
gives freed blocks back at once, FP32 took 103 MB, S1E3M7 97 and 6 bits 96. [omc_memory.md](omc_memory.md) has 117 million
parameters, where weights count.

**Speed** is of processor time, one thread, FP32's being 1: of a step in that program, where repetitions on a busy machine
differed by up to 20 %, and of whole runs. Megabytes are of all trainers in a whole run.'''


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


SMALL = '''Speech's federations, columns as there, with all tensors coded: biases and norms travel in 6 bits too, so that payloads are below
20 % of FP32 for a model as small as this. In a client's memory biases and norms are FP32 whatever the plan says: with scales
for 64 values that is a little more than 20 %, with scales for 512 a little less.'''


def ablation(page, job, rows, seeds):
  results = {(codec, weights): [rows[job.run(codec, 'iid', seed, weights).name] for seed in seeds]
             for _, codec, weights in omc_speech.ABLATION}
  reference = [rows[job.run('fp32', 'iid', seed).name] for seed in seeds]
  page.seen(row for its in (*results.values(), reference) for row in its)
  page.table('ablation', *omc_speech.ablation_table(
      results, reference, rows[job.checkpoint().name]['test_loss']))
  return 'What each part does, at 6 bits', ABLATION


ABLATION = '''Speech's federations, IID, at S1E2M3. Each line adds to the one above, in payloads and in clients' memory, where weights are
rounded to nearest after each step. The last line rounds them stochastically; a correction is not fitted to such codes
([omc.md](../omc.md#in-the-clients-memory)), so in clients' memory that line is without the correction which payloads still have.
Loss tells the lines apart; error rates do not, for the reason given above.'''


def images(page, job, rows, seeds):
  """One data set."""
  page.table(job.name, omc_images.HEAD, job.lines(lambda run: rows[run.name], seeds))
  page.seen(rows[job.run(codec, seed).name] for _, codec in omc_images.FORMATS for seed in seeds)
  return f'{job.label}, from scratch', IMAGES % describe(job.options)


IMAGES = '''`%s`. Server, clients and evaluator are processes; wire is TCP payload counted by a proxy between them. "Up" has the
initial weights in it, which one client makes and sends in FP32. Clients' memory is that of whole processes, nearly all of it
LibTorch, data and activations: the weights are a megabyte or two, so packed clients take as much as those with FP32.'''


def describe(options):
  return ' '.join(f'--{name} {value}' for name, value in options.items() if name != 'data')


def processes(page, job, rows):
  one, other = (rows[run.name] for run in (omc_processes.processes(job), omc_processes.simulated(job)))
  page.seen([one, other])
  page.table('processes', omc_processes.HEAD, [omc_processes.line('processes over gRPC', one),
                                               omc_processes.line('thinwire-simulate', other)])
  page.add(omc_processes.verdict(one, other))
  return 'Processes beside the simulator', PROCESSES % (omc_processes.configuration(job), omc_processes.commands(job))


PROCESSES = '''A short run of speech's federation at S1E3M7, by speaker: as processes over gRPC on one machine, and as simulated. The
server's configuration, the commands of server, each trainer (I from 0 on) and evaluator, and that of the simulator:

```
%s
%s
```'''
