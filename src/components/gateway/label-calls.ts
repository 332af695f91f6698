/**
 * Store.LabelNames and Store.LabelValues over the blocks of a bucket. Behaviour, texts and codes: thanos pkg/store/bucket.go.
 */
import { errorText } from '../../lib/errors.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { Matcher } from '../../model/matcher.ts';
import { GrpcError } from '../../ops/grpc/status.ts';
import { eachLabel, labelValue, textOfRange } from '../../bucket/read/label-bytes.ts';
import type { LabelBytes } from '../../bucket/read/label-bytes.ts';
import { LimitError } from '../../bucket/read/limits.ts';
import type { ReadCall } from '../../bucket/read/stored-block.ts';
import { decodeRequestHints, encodeResponseHints } from '../../rpc/store/block-hints.ts';
import type {
  LabelNamesRequest,
  LabelValuesRequest,
  LabelsResponse,
} from '../../rpc/store/label-messages.ts';
import type { StoreCall } from '../../rpc/store/store-api.ts';
import { blockPostings, blockRuns, newReadCall } from './block-call.ts';
import { withoutExternal } from './block-set.ts';
import type { LoadedBlock } from './loaded-block.ts';
import type { CallCompany, StoreCallOptions } from './store-options.ts';

type Kind = 'label names' | 'label values';

/** What a call for labels has to know of a company. */
export type LabelsCompany = Omit<CallCompany, 'streams'>;

/** compat: nothing at all, no hints either. */
const NOTHING: LabelsResponse = { texts: [], warnings: [] };

/** Answers a call for names. @throws GrpcError. */
export async function answerLabelNames(
  request: LabelNamesRequest,
  call: StoreCall,
  options: StoreCallOptions,
  company?: LabelsCompany,
): Promise<LabelsResponse> {
  const without = new Set(request.withoutReplicaLabels);
  const labels = new LabelsCall('label names', request, call, options, company);
  return labels.answer(async (block, matchers) => {
    if (matchers.length > 0) {
      const names = new Set<string>();
      await labels.eachSeries(block, matchers, without, (one) => {
        eachLabel(one, (from, to) => names.add(textOfRange(one.bytes, from, to)));
      });
      return names;
    }
    const own = await block.withHeader(({ postings }) => Promise.resolve(postings.names));
    const external = [...block.externalLabels].map(([name]) => name);
    return [...own, ...external.filter((name) => !without.has(name))];
  });
}

/** Answers a call for values. @throws GrpcError. */
export async function answerLabelValues(
  request: LabelValuesRequest,
  call: StoreCall,
  options: StoreCallOptions,
  company?: LabelsCompany,
): Promise<LabelsResponse> {
  const { label } = request;
  if (request.withoutReplicaLabels.includes(label)) return NOTHING;
  const labels = new LabelsCall('label values', request, call, options, company);
  const hasMetricName = request.matchers.some(
    ({ name, type }) => name === '__name__' && type === '=',
  );
  return labels.answer(async (block, matchers) => {
    const external = block.externalLabels.get(label);
    if (matchers.length === 0) {
      const values: string[] = external === '' ? [] : [external];
      await block.withHeader(({ postings }) =>
        postings.each(label, (value) => void values.push(value)),
      );
      return values;
    }
    // A metric's series are few enough to be looked at one by one.
    const needed = hasMetricName || external !== '' ? [] : [new Matcher('!=', label, '')];
    const values = new Set<string>();
    await labels.eachSeries(
      block,
      [...matchers, ...needed],
      new Set(request.withoutReplicaLabels),
      (one) => {
        const value = labelValue(one, label);
        if (value !== '') values.add(value);
      },
    );
    return values;
  });
}

class LabelsCall {
  readonly #kind: Kind;
  readonly #request: LabelNamesRequest;
  readonly #call: StoreCall;
  readonly #options: StoreCallOptions;
  readonly #read: ReadCall;
  readonly #company: LabelsCompany | undefined;

  constructor(
    kind: Kind,
    request: LabelNamesRequest,
    call: StoreCall,
    options: StoreCallOptions,
    company: LabelsCompany | undefined,
  ) {
    this.#kind = kind;
    this.#request = request;
    this.#call = call;
    this.#options = options;
    this.#company = company;
    this.#read = newReadCall(options, call);
  }

  /** Asks every block that can have something, and puts the texts together, sorted, each once. */
  async answer(
    ask: (block: LoadedBlock, matchers: readonly Matcher[]) => Promise<Iterable<string>>,
  ): Promise<LabelsResponse> {
    const { mint, maxt, matchers, hints, limit } = this.#request;
    const blockMatchers =
      hints === undefined ? [] : decodeRequestHints(this.#kind, hints).blockMatchers;
    const queried: string[] = [];
    const asked: Promise<Iterable<string>>[] = [];
    for (const block of this.#options.store.blocks) {
      if (!block.overlaps(mint, maxt) || !block.satisfies(blockMatchers)) continue;
      if (this.#company?.isHeld(block) === true) continue;
      const ofSeries = withoutExternal(matchers, block.externalLabels);
      if (ofSeries === undefined) continue;
      queried.push(block.ulid);
      // A block that leaves meanwhile stays until this call has ended.
      const letGo = block.hold();
      asked.push(
        ask(block, ofSeries)
          .catch((thrown: unknown) => this.#fail(block, thrown))
          .finally(letGo),
      );
    }
    const all = new Set<string>();
    for (const outcome of await Promise.allSettled(asked)) {
      if (outcome.status === 'rejected') throw outcome.reason;
      for (const text of outcome.value) all.add(text);
    }
    const texts = [...all].sort(compareUtf8);
    return {
      texts: limit > 0 ? texts.slice(0, limit) : texts,
      warnings: this.#company?.warnings ?? [],
      hints: encodeResponseHints(this.#kind, { queriedBlocks: queried }),
    };
  }

  /** Visits the labels of the series of a block, external ones included, in any order. */
  async eachSeries(
    block: LoadedBlock,
    matchers: readonly Matcher[],
    without: ReadonlySet<string>,
    visit: (labels: LabelBytes) => void,
  ): Promise<void> {
    const { mint, maxt } = this.#request;
    const postings = await blockPostings(block, matchers, this.#read, this.#options, without);
    const request = {
      mint,
      maxt,
      skipChunks: true,
      aggregates: 0,
      rules: { external: block.externalLabels.drop(without), without },
      isWanted: undefined,
      limit: 0,
      batchSize: this.#options.batchSize,
      runBytes: 0,
    };
    for await (const run of blockRuns(block, postings, request, this.#read, this.#options)) {
      for (let i = 0; i < run.count; i++) {
        const from = run.labelStarts[i] as number;
        visit({ bytes: run.labels, from, to: run.labelStarts[i + 1] as number });
      }
      run.release();
    }
  }

  /** A block failed: that is a warning, or the end of the call. */
  #fail(block: LoadedBlock, thrown: unknown): Iterable<string> {
    if (this.#call.signal.aborted) throw thrown;
    const error = failure(block, thrown);
    if (this.#company?.isTolerant !== true) throw error;
    this.#company.warnings.push(errorText(error));
    return [];
  }
}

/** The end of a call because of a block. */
function failure(block: LoadedBlock, thrown: unknown): GrpcError {
  if (thrown instanceof GrpcError) return thrown;
  if (thrown instanceof LimitError) {
    const text = `rpc error: code = ResourceExhausted desc = ${thrown.message}`;
    return new GrpcError('ResourceExhausted', text, { cause: thrown });
  }
  const text = `block ${block.ulid}: ${errorText(thrown)}`;
  return new GrpcError('Internal', text, { cause: thrown });
}
