/**
 * How deep an expression is. Every pass over a tree goes down by recursion, so depth is bounded while the tree is made:
 * on the way down, where parentheses and calls open, and on the way up, where a chain of operators gets longer.
 */
import type { TokenStream } from './token-stream.ts';

/** limit: of the weights of what is inside each other. Two thirds of the stack that Node gives (984 KB) hold all that it lets pass. */
const WEIGHT_MAX = 1100;

/** What an operator, a sign or a pair of parentheses weighs. */
export const LIGHT = 1;
/** What a call, an aggregation or a subquery weighs. */
export const HEAVY = 4;

/** The depth of what is being read, in weights. */
export class Nesting {
  readonly #tokens: TokenStream;
  #depth = 0;
  #height = 0;

  constructor(tokens: TokenStream) {
    this.#tokens = tokens;
  }

  /** The height of what was read last: how much is inside each other in it at most. */
  get height(): number {
    return this.#height;
  }

  /** What is read next is inside something of this weight. */
  enter(weight: number): void {
    this.#depth += weight;
    if (this.#depth > WEIGHT_MAX) this.#refuse();
  }

  /** It has been read. */
  leave(weight: number): void {
    this.#depth -= weight;
  }

  /** What was read last has nothing inside. */
  leaf(): void {
    this.#height = 0;
  }

  /** What was read last was put inside something of this weight, beside others that are at most so high. */
  raise(weight: number, others = 0): void {
    this.#height = Math.max(this.#height, others) + weight;
    if (this.#height > WEIGHT_MAX) this.#refuse();
  }

  #refuse(): never {
    return this.#tokens.fail(this.#tokens.ahead, 'expression is nested too deeply');
  }
}
