/**
 * The blocks API of `thanos store`, `compact` and `tools bucket web`: which blocks there are, and marking one. Texts and
 * behaviour: thanos pkg/api/blocks/v1.go.
 */
import type { FastifyInstance } from 'fastify';
import type { MarkKind } from '../bucket/markers.ts';
import { markBlock } from '../bucket/mark-block.ts';
import { CodedError, errorText } from '../lib/errors.ts';
import { quoteGo } from '../lib/go-strings.ts';
import { isUlid } from '../model/ulid.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { jsonAnswer, NO_CONTENT } from './api-answer.ts';
import { answer, type ApiBase, type ApiRequest, GET, registerScope, route } from './api-scope.ts';
import type { BlockViews } from './block-views.ts';
import type { QueryAnswer } from './query-service.ts';

/** What the blocks API is made of. */
export interface BlocksApiOptions extends ApiBase {
  readonly views: BlockViews;
  /** Where marks are written. */
  readonly bucket: Bucket;
  /** `--disable-admin-operations`: nothing may be marked. */
  readonly disableAdminOperations: boolean;
}

const POST: readonly string[] = ['POST'];

const ACTIONS = new Map<string, MarkKind>([
  ['DELETION', 'deletion'],
  ['NO_COMPACTION', 'no-compact'],
]);

/** Registers the API, status endpoints included; before the server listens. */
export function registerBlocksApi(app: FastifyInstance, options: BlocksApiOptions): void {
  registerScope(app, options, (api) => {
    route(api, '/blocks', GET, 'blocks', (request, reply) =>
      answer(options, (asked) => showBlocks(asked, options), request, reply),
    );
    route(api, '/blocks/mark', POST, 'blocks_mark', (request, reply) =>
      answer(options, (asked) => mark(asked, options), request, reply),
    );
  });
}

async function showBlocks({ form }: ApiRequest, options: BlocksApiOptions): Promise<QueryAnswer> {
  return jsonAnswer(options.views.json(form.get('view') === 'loaded' ? 'loaded' : 'global'));
}

async function mark({ form, signal }: ApiRequest, options: BlocksApiOptions): Promise<QueryAnswer> {
  const { bucket, clock, log, disableAdminOperations } = options;
  if (disableAdminOperations) throw badData('Admin operations are disabled');
  const [idText, action] = [form.get('id'), form.get('action')];
  if (idText === '') throw badData('ID cannot be empty');
  if (action === '') throw badData('Action cannot be empty');
  const id = parseBlockId(idText);
  const kind = ACTIONS.get(action);
  if (kind === undefined) throw badData(`not supported marker ${action}`);
  const time = clock.now();
  const wanted = { kind, id, time, details: form.get('detail'), reason: 'manual' };
  try {
    await markBlock(bucket, wanted, { log, signal });
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    // compat: whatever the bucket says is the client's fault.
    throw new CodedError('bad_data', errorText(thrown), { cause: thrown });
  }
  return NO_CONTENT;
}

/** A ULID in upper case. Texts: github.com/oklog/ulid, which looks at neither case nor characters. */
function parseBlockId(text: string): string {
  const ulid = text.toUpperCase();
  if (isUlid(ulid)) return ulid;
  const wrong =
    Buffer.byteLength(text) !== 26
      ? 'bad data size'
      : /^[89A-Z]/.test(ulid)
        ? 'overflow'
        : 'bad data characters';
  throw badData(`ULID ${quoteGo(text)} is not valid: ulid: ${wrong} when unmarshaling`);
}

function badData(text: string): CodedError {
  return new CodedError('bad_data', text);
}
