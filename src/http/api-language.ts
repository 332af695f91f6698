/**
 * `/api/v1/parse_query` and `/api/v1/format_query`: what the parser makes of a query. The query is not evaluated, and
 * no data are asked. Texts and shapes: prometheus web/api/v1/api.go.
 */
import { DEFAULT_FEATURES } from '../promql/parse/options.ts';
import { parseExpr } from '../promql/parse/parse.ts';
import type { Expr } from '../promql/parse/ast.ts';
import { prettyExpr } from '../promql/parse/pretty.ts';
import { jsonAnswer } from './api-answer.ts';
import type { ApiCall } from './api-call.ts';
import { withParam } from './api-params.ts';
import { treeData } from './json-tree.ts';
import type { QueryAnswer } from './query-service.ts';

/** Answers with the syntax tree of a query. */
export async function parseQuery(call: ApiCall): Promise<QueryAnswer> {
  return jsonAnswer(JSON.stringify(treeData(parsed(call))));
}

/** Answers with the text of a query, spaced and broken into lines. */
export async function formatQuery(call: ApiCall): Promise<QueryAnswer> {
  return jsonAnswer(JSON.stringify(prettyExpr(parsed(call))));
}

function parsed(call: ApiCall): Expr {
  const { form, options } = call;
  const features = { ...DEFAULT_FEATURES, ...options.promqlFeatures };
  return withParam(call, 'query', () => parseExpr(form.get('query'), features));
}
