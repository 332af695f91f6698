/**
 * Remote write 2.0 requests (io.prometheus.write.v2.Request) as remote write 1.0 bytes, which the ingest kernel parses
 * (docs/format/write-request.md). Which series are refused, and in which words: Prometheus storage/remote/write_handler.go.
 *
 * Numbers and texts are copied as bytes from one buffer to another: the wire forms of Sample, Histogram and Exemplar are
 * the same in both versions but for labels and start timestamps.
 */
import { CodedError } from '../../lib/errors.ts';
import { ShortBytesError } from '../../lib/varint.ts';
import { MetadataForwarder } from './metadata-forwarder.ts';
import { SERIES_V2, SeriesV2 } from './series-v2.ts';
import { Symbols } from './symbols.ts';
import { WireReader } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

/** A request in the 1.0 form, and what was left out of it. */
export interface V2Translation {
  /** A prometheus.WriteRequest: the translator's memory, valid until its next call. */
  readonly body: Uint8Array;
  /** Series of the request. */
  readonly series: number;
  /** Series left out: labels or metadata that the symbols do not have, or neither samples nor histograms. */
  readonly refusedSeries: number;
  /** Samples and histograms of those. */
  readonly refusedSamples: number;
  /** Exemplars left out because of their labels. */
  readonly refusedExemplars: number;
  /** Start timestamps of samples and histograms, which are not kept. */
  readonly startTimestamps: number;
  /** The first refusal, in Prometheus' words; '' when there is none. */
  readonly firstProblem: string;
}

/** Tags of 2.0 messages: field number << 3 | wire type. */
const SYMBOL = 0x22;
const TIMESERIES = 0x2a;
const SAMPLE = { value: 0x09, timestamp: 0x10, start: 0x18 } as const;
const EXEMPLAR = { ref: 0x08, refs: 0x0a } as const;
const HISTOGRAM_START = 0x88;

/** Tags of 1.0 messages. */
const OUT = {
  timeseries: 0x0a,
  label: 0x0a,
  name: 0x0a,
  value: 0x12,
  sample: 0x12,
  exemplar: 0x1a,
  histogram: 0x22,
} as const;

/** Bytes of a tag with a length at the most, and more than a Sample takes with its head. */
const HEAD_MAX = 11;
const SAMPLE_MAX = 32;

/** Translates requests one after the other. It remembers which metadata it has passed on: one for each TSDB. */
export class V2Translator {
  readonly #symbols = new Symbols();
  readonly #series = new SeriesV2();
  readonly #out = new WireWriter('write request as prometheus.WriteRequest');
  readonly #metadata = new MetadataForwarder();
  #reader = new WireReader(new Uint8Array(0));
  #refusedExemplars = 0;
  #startTimestamps = 0;
  #firstProblem = '';

  /**
   * Translates a decompressed request. The result may be longer than the request, which names each text once: beyond
   * `bytesMax` it is refused.
   * @throws CodedError bad_data for what is no such message, with the offset; too_large.
   */
  translate(body: Uint8Array, bytesMax: number): V2Translation {
    const reader = new WireReader(body);
    this.#reader = reader;
    this.#out.begin(bytesMax);
    this.#refusedExemplars = this.#startTimestamps = 0;
    this.#firstProblem = '';
    try {
      this.#readSymbols(body.length);
      this.#metadata.begin(this.#symbols, body);
      reader.pos = 0;
      const counts = this.#readSeries(body.length);
      return {
        ...counts,
        body: this.#out.written,
        refusedExemplars: this.#refusedExemplars,
        startTimestamps: this.#startTimestamps,
        firstProblem: this.#firstProblem,
      };
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
      const at = `byte ${reader.pos} of ${body.length}`;
      const text = `malformed write request: not an io.prometheus.write.v2.Request at ${at}`;
      throw new CodedError('bad_data', text, { cause: thrown });
    }
  }

  /** Symbols stand before the series in all requests that are known, but need not. */
  #readSymbols(end: number): void {
    const reader = this.#reader;
    this.#symbols.begin(reader.bytes);
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag === SYMBOL) this.#symbols.add(reader, end);
      else reader.skip(tag & 7, end);
    }
  }

  #readSeries(end: number): { series: number; refusedSeries: number; refusedSamples: number } {
    const reader = this.#reader;
    const counts = { series: 0, refusedSeries: 0, refusedSamples: 0 };
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag !== TIMESERIES) {
        reader.skip(tag & 7, end);
        continue;
      }
      const stop = reader.contentEnd(end);
      const from = reader.pos;
      counts.series++;
      this.#series.read(reader, stop);
      const problem = this.#series.problem(this.#symbols);
      if (problem === '') {
        reader.pos = from;
        this.#writeSeries(stop);
      } else {
        this.#firstProblem ||= problem;
        counts.refusedSeries++;
        counts.refusedSamples += this.#series.samples;
      }
      reader.pos = stop;
    }
    return counts;
  }

  /** Writes the series at hand. */
  #writeSeries(end: number): void {
    const reader = this.#reader;
    const out = this.#out;
    out.reserve(HEAD_MAX);
    const start = out.open(OUT.timeseries);
    const nameRef = this.#writeLabels(0);
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag === SERIES_V2.sample) this.#writeSample(reader.contentEnd(end));
      else if (tag === SERIES_V2.histogram) this.#writeHistogram(reader.contentEnd(end));
      else if (tag === SERIES_V2.exemplar) this.#writeExemplar(reader.contentEnd(end));
      else reader.skip(tag & 7, end);
    }
    out.reserve(HEAD_MAX);
    out.close(start);
    if (nameRef < 0) return;
    this.#metadata.write(out, this.#symbols, this.#series, nameRef);
  }

  /** Writes the labels of the refs from a place on; answers the number of the metric's name, -1 when there is none. */
  #writeLabels(from: number): number {
    const out = this.#out;
    const symbols = this.#symbols;
    const { bytes } = this.#reader;
    const { refs, refCount } = this.#series;
    let metricName = -1;
    for (let i = from; i < refCount; i += 2) {
      const name = refs[i] as number;
      const value = refs[i + 1] as number;
      if (metricName < 0 && symbols.isMetricName(name)) metricName = value;
      const nameAt = symbols.lengthAt(name);
      const nameEnd = symbols.end(name);
      const valueAt = symbols.lengthAt(value);
      const valueEnd = symbols.end(value);
      // A symbol lies in the request as a field of a Label does: its length, then its text.
      const size = 2 + nameEnd - nameAt + valueEnd - valueAt;
      out.reserve(HEAD_MAX + size);
      out.byte(OUT.label);
      out.varint(size);
      out.byte(OUT.name);
      out.copy(bytes, nameAt, nameEnd);
      out.byte(OUT.value);
      out.copy(bytes, valueAt, valueEnd);
    }
    return metricName;
  }

  /** Writes a Sample without its start timestamp. */
  #writeSample(end: number): void {
    const reader = this.#reader;
    const out = this.#out;
    const { bytes } = reader;
    let valueAt = -1;
    let timeAt = -1;
    let timeEnd = -1;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      const at = reader.pos;
      reader.skip(tag & 7, end);
      if (tag === SAMPLE.value) valueAt = at;
      else if (tag === SAMPLE.timestamp) {
        timeAt = at;
        timeEnd = reader.pos;
      } else if (tag === SAMPLE.start) this.#startTimestamps++;
    }
    out.reserve(SAMPLE_MAX);
    out.byte(OUT.sample);
    out.byte((valueAt < 0 ? 0 : 9) + (timeAt < 0 ? 0 : 1 + timeEnd - timeAt));
    if (valueAt >= 0) {
      out.byte(SAMPLE.value);
      out.copy(bytes, valueAt, valueAt + 8);
    }
    if (timeAt >= 0) {
      out.byte(SAMPLE.timestamp);
      out.copy(bytes, timeAt, timeEnd);
    }
  }

  /** Copies a Histogram: its start timestamp is a field that 1.0 does not know. */
  #writeHistogram(end: number): void {
    const reader = this.#reader;
    const from = reader.pos;
    let started = 0;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag === HISTOGRAM_START) started = 1;
      reader.skip(tag & 7, end);
    }
    this.#startTimestamps += started;
    const out = this.#out;
    out.reserve(HEAD_MAX + end - from);
    out.byte(OUT.histogram);
    out.varint(end - from);
    out.copy(reader.bytes, from, end);
  }

  /** Writes an Exemplar with its labels in words, unless they are none. */
  #writeExemplar(end: number): void {
    const reader = this.#reader;
    const out = this.#out;
    const series = this.#series;
    const before = out.length;
    const ownRefs = series.refCount;
    out.reserve(HEAD_MAX);
    const start = out.open(OUT.exemplar);
    while (reader.pos < end) {
      const from = reader.pos;
      const tag = reader.tag(end);
      if (tag === EXEMPLAR.refs) series.readRefs(reader, reader.contentEnd(end));
      else if (tag === EXEMPLAR.ref) series.addRef(reader.varint(end));
      else {
        // Value and timestamp have the same numbers in both versions.
        reader.skip(tag & 7, end);
        out.reserve(reader.pos - from);
        out.copy(reader.bytes, from, reader.pos);
      }
    }
    const problem = series.refsProblem(this.#symbols, ownRefs);
    if (problem === '') {
      this.#writeLabels(ownRefs);
      out.reserve(HEAD_MAX);
      out.close(start);
    } else {
      out.length = before;
      this.#refusedExemplars++;
    }
    series.refCount = ownRefs;
    if (problem === '' || this.#firstProblem !== '') return;
    this.#firstProblem = `parsing exemplar for series ${series.text(this.#symbols)}: ${problem}`;
  }
}
