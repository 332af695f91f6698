/**
 * Relabeling rules in YAML: a list of mappings with Prometheus' fields and defaults. Behaviour and error texts:
 * prometheus model/relabel/relabel.go (Config.Validate), thanos pkg/block/fetcher.go (ParseRelabelConfig).
 */
import { RE2JS } from 're2js';
import { errorText } from '../lib/errors.ts';
import { parseStrictYaml } from '../lib/strict-yaml.ts';
import type { StrictYaml, YamlSource } from '../lib/strict-yaml.ts';
import { RELABEL_ACTIONS } from './relabel.ts';
import type { RelabelAction, RelabelRule } from './relabel.ts';

/** The actions by which blocks are selected. */
export const SELECTOR_ACTIONS: readonly RelabelAction[] = ['keep', 'drop', 'hashmod'];

const DEFAULTS = { separator: ';', regex: '(.*)', replacement: '$1', target: '', modulus: '0' };

/** A rule as it is written; what is absent is undefined. */
interface RawRule {
  readonly source_labels?: readonly string[] | undefined;
  readonly separator?: string | undefined;
  readonly regex?: string | undefined;
  readonly modulus?: string | undefined;
  readonly target_label?: string | undefined;
  readonly replacement?: string | undefined;
  readonly action?: string | undefined;
}

/**
 * The rules of a configuration, none when there is no text. `actions` are those that it may use.
 * @throws CodedError bad_data with file, line and field.
 */
export async function parseRelabelConfig(
  source: YamlSource | undefined,
  actions: readonly RelabelAction[] = RELABEL_ACTIONS,
): Promise<RelabelRule[]> {
  if (source === undefined) return [];
  const yaml = await parseStrictYaml(source);
  const rules = yaml.read([], (z) => {
    const rule = z.strictObject({
      source_labels: z.array(z.string()).optional(),
      separator: z.string().optional(),
      regex: z.string().optional(),
      modulus: z.string().optional(),
      target_label: z.string().optional(),
      replacement: z.string().optional(),
      action: z.string().optional(),
    });
    return z.array(rule).optional();
  });
  return (rules ?? []).map((rule, i) => new RuleReader(yaml, i, rule).read(actions));
}

/** Checks one rule and completes it. */
class RuleReader {
  readonly #yaml: StrictYaml;
  readonly #index: number;
  readonly #raw: RawRule;

  constructor(yaml: StrictYaml, index: number, raw: RawRule) {
    this.#yaml = yaml;
    this.#index = index;
    this.#raw = raw;
  }

  read(actions: readonly RelabelAction[]): RelabelRule {
    const raw = this.#raw;
    const action = this.#action(actions);
    const modulus = this.#modulus();
    if (action === 'hashmod' && modulus === 0n) {
      throw this.#error('modulus', 'relabel configuration for hashmod requires non-zero modulus');
    }
    if (NEEDS_TARGET.has(action) && (raw.target_label ?? '') === '') {
      const what = `relabel configuration for ${action} action requires 'target_label' value`;
      throw this.#error('target_label', what);
    }
    this.#refuseOthers(action);
    return {
      action,
      sourceLabels: raw.source_labels ?? [],
      separator: raw.separator ?? DEFAULTS.separator,
      regex: this.#regex(),
      modulus,
      targetLabel: raw.target_label ?? DEFAULTS.target,
      replacement: raw.replacement ?? DEFAULTS.replacement,
    };
  }

  #error(field: string, what: string): Error {
    return this.#yaml.errorAt([this.#index, field], what);
  }

  /** compat: letters of either case. */
  #action(actions: readonly RelabelAction[]): RelabelAction {
    const text = this.#raw.action ?? 'replace';
    const action = RELABEL_ACTIONS.find((known) => known === text.toLowerCase());
    if (action === undefined) {
      const expected = `expected ${actions.join(', ')}`;
      throw this.#error('action', `unknown relabel action ${JSON.stringify(text)}, ${expected}`);
    }
    if (actions.includes(action)) return action;
    throw this.#error(
      'action',
      `unsupported relabel action: ${action}, expected ${actions.join(', ')}`,
    );
  }

  #modulus(): bigint {
    const text = this.#raw.modulus ?? DEFAULTS.modulus;
    const value = /^\d+$/.test(text) ? BigInt(text) : undefined;
    if (value !== undefined && value < 2n ** 64n) return value;
    throw this.#error('modulus', `expected a whole number, is ${JSON.stringify(text)}`);
  }

  #regex(): RE2JS {
    const pattern = this.#raw.regex ?? DEFAULTS.regex;
    try {
      // On its own first: an error must name the pattern as it was written, and `a)(b` must not pass in the group.
      RE2JS.compile(pattern);
      return RE2JS.compile(`^(?s:${pattern})$`);
    } catch (thrown) {
      throw this.#error('regex', errorText(thrown));
    }
  }

  /** Fields that an action does not have must be as if they were absent. */
  #refuseOthers(action: RelabelAction): void {
    const { source_labels, separator, regex, modulus, target_label, replacement } = this.#raw;
    const differs = (value: string | undefined, fallback: string): boolean =>
      value !== undefined && value !== fallback;
    const more =
      differs(separator, DEFAULTS.separator) ||
      differs(modulus, DEFAULTS.modulus) ||
      differs(replacement, DEFAULTS.replacement);
    if (action === 'keepequal' || action === 'dropequal') {
      if (!more && !differs(regex, DEFAULTS.regex)) return;
      throw this.#error(
        'action',
        `${action} action requires only 'source_labels' and \`target_label\`, and no other fields`,
      );
    }
    if (action === 'labeldrop' || action === 'labelkeep') {
      if (!more && source_labels === undefined && !differs(target_label, DEFAULTS.target)) return;
      throw this.#error('action', `${action} action requires only 'regex', and no other fields`);
    }
    if (
      (action === 'lowercase' || action === 'uppercase') &&
      differs(replacement, DEFAULTS.replacement)
    ) {
      throw this.#error('replacement', `'replacement' can not be set for ${action} action`);
    }
    if (action === 'labelmap' && replacement === '') {
      throw this.#error('replacement', `"" is invalid 'replacement' for ${action} action`);
    }
  }
}

const NEEDS_TARGET: ReadonlySet<RelabelAction> = new Set([
  'replace',
  'hashmod',
  'lowercase',
  'uppercase',
  'keepequal',
  'dropequal',
]);
