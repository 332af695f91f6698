/**
 * Evaluates the pipelines of a template. Behaviour and error texts: Go's text/template, exec.go; an error names the
 * template, line, column in bytes, and the operand at fault.
 *
 * Functions may be asynchronous, so everything on the way to one is.
 */
import { CodedError, errorText } from '../errors.ts';
import { quoteGo } from '../go-strings.ts';
import { BUILTINS } from './builtins.ts';
import type { ChainOperand, Command, Operand, Pipe, Place, TemplateNode } from './node.ts';
import { printPlace } from './node.ts';
import { GoFunction, GoMap, GoStruct, isTrue, typeOf } from './value.ts';
import type { GoValue, ParameterType } from './value.ts';

/** What a template runs with. */
export interface Program {
  /** The text that places are counted in, and its name in messages. */
  readonly text: string;
  readonly name: string;
  readonly trees: ReadonlyMap<string, readonly TemplateNode[]>;
  readonly functions: ReadonlyMap<string, GoFunction>;
  /** What a key that a map does not have is: no value, the elements' zero value, or an error. */
  readonly missingKey: 'default' | 'zero' | 'error';
}

/** Stands for the argument that a pipeline's first command does not get. */
const MISSING = Symbol('missing');

type Final = GoValue | typeof MISSING;

/** Evaluates pipelines of one tree, and keeps its variables. */
export class PipelineEvaluator {
  /** What is being evaluated, for messages. */
  place: Place | undefined;
  readonly #program: Program;
  readonly #tree: string;
  readonly #variables: { readonly name: string; value: GoValue }[];

  /** For the tree of a name, of which `$` is the data. */
  constructor(program: Program, tree: string, data: GoValue) {
    this.#program = program;
    this.#tree = tree;
    this.#variables = [{ name: '$', value: data }];
  }

  /** How many variables there are, for {@link dropVariables}. */
  get variables(): number {
    return this.#variables.length;
  }

  /** Forgets the variables that were declared since there were so many. */
  dropVariables(count: number): void {
    this.#variables.length = count;
  }

  /** Gives the variables of a range their values: with two the first is the index, with one it is the item. */
  setLoopVariables({ variables, assigns }: Pipe, index: GoValue, item: GoValue): void {
    const values = variables.length > 1 ? [index, item] : [item];
    for (const [i, { name }] of variables.entries()) {
      if (assigns) this.#assign(name, values[i]);
      else {
        const declared = this.#variables.at(i - variables.length);
        if (declared !== undefined) declared.value = values[i];
      }
    }
  }

  /** An error at the current place. */
  error(what: string, cause?: unknown): CodedError {
    const name = this.#tree;
    const place = this.place;
    if (place === undefined) {
      return new CodedError('execution', `template: ${name}: ${what}`, { cause });
    }
    const before = this.#program.text.slice(0, place.at);
    const lines = before.split('\n');
    const column = Buffer.byteLength(lines.at(-1) ?? '');
    const where = `${this.#program.name}:${lines.length}:${column}`;
    const message = `template: ${where}: executing ${quoteGo(name)} at <${printPlace(place)}>: ${what}`;
    return new CodedError('execution', message, { cause });
  }

  #assign(name: string, value: GoValue): void {
    const variable = this.#variables.findLast((each) => each.name === name);
    if (variable === undefined) throw this.error(`undefined variable: ${name}`);
    variable.value = value;
  }

  /** The value of a pipeline, whose variables stay. */
  async pipe(pipe: Pipe, dot: GoValue): Promise<GoValue> {
    this.place = pipe;
    let value: Final = MISSING;
    for (const command of pipe.commands) {
      value = await this.#command(command, dot, value);
      // An interface that holds nothing is no value.
      if (value === null) value = undefined;
    }
    const result = value === MISSING ? undefined : value;
    for (const { name } of pipe.variables) {
      if (pipe.assigns) this.#assign(name, result);
      else this.#variables.push({ name, value: result });
    }
    return result;
  }

  async #command(command: Command, dot: GoValue, final: Final): Promise<GoValue> {
    const [first, ...args] = command.operands;
    switch (first.kind) {
      case 'field':
        this.place = first;
        return this.#fields(dot, first.names, { dot, args, final, place: first });
      case 'variable':
        return this.#variable(first, { dot, args, final });
      case 'chain':
        return this.#chain(first, { dot, args, final });
      case 'function':
        return this.#call(first, { dot, args, final, place: command });
      case 'pipe':
        this.#refuseArguments(first, args, final);
        return this.pipe(first, dot);
      case 'nil':
        this.place = first;
        this.#refuseArguments(first, args, final);
        throw this.error('nil is not a command');
      case 'boolean':
      case 'dot':
      case 'number':
      case 'string':
        this.place = first;
        this.#refuseArguments(first, args, final);
        return this.#constant(first, dot);
    }
  }

  #refuseArguments(first: Operand, args: readonly Operand[], final: Final): void {
    if (args.length === 0 && final === MISSING) return;
    throw this.error(`can't give argument to non-function ${printPlace(first)}`);
  }

  #constant(
    operand: Extract<Operand, { kind: 'boolean' | 'dot' | 'number' | 'string' }>,
    dot: GoValue,
  ): GoValue {
    switch (operand.kind) {
      case 'boolean':
      case 'string':
        return operand.value;
      case 'dot':
        return dot;
      case 'number':
        if (operand.isFloat) return operand.float;
        if (operand.integer === undefined) throw this.error(`${operand.text} overflows int`);
        return operand.integer;
    }
  }

  async #variable(
    operand: Extract<Operand, { kind: 'variable' }>,
    call: CallArguments,
  ): Promise<GoValue> {
    this.place = operand;
    const variable = this.#variables.findLast(({ name }) => name === operand.name);
    if (variable === undefined) throw this.error(`undefined variable: ${operand.name}`);
    if (operand.fields.length === 0) {
      this.#refuseArguments(operand, call.args, call.final);
      return variable.value;
    }
    return this.#fields(variable.value, operand.fields, { ...call, place: operand });
  }

  async #chain(chain: ChainOperand, call: CallArguments): Promise<GoValue> {
    this.place = chain;
    const { base } = chain;
    const none = { dot: call.dot, args: [], final: MISSING, place: base } as const;
    const value =
      base.kind === 'pipe' ? await this.pipe(base, call.dot) : await this.#call(base, none);
    return this.#fields(value, chain.names, { ...call, place: chain });
  }

  /** `.a.b.c` of a value; what c is gets the arguments when it is a method. */
  async #fields(
    value: GoValue,
    names: readonly string[],
    call: CallArguments & { readonly place: Place },
  ): Promise<GoValue> {
    let receiver = value;
    let type = typeOf(value);
    const last = names.length - 1;
    for (const [i, name] of names.entries()) {
      const own = i === last ? call : { ...call, args: [], final: MISSING as Final };
      const found = await this.#field(receiver, name, { ...own, type });
      // What lies in an interface has that type, whatever is in it.
      const hidden = receiver instanceof GoMap && receiver.type.endsWith('interface {}');
      type = hidden ? 'interface {}' : typeOf(found);
      receiver = found;
    }
    return receiver;
  }

  async #field(
    receiver: GoValue,
    name: string,
    call: CallArguments & { readonly place: Place; readonly type: string },
  ): Promise<GoValue> {
    if (receiver === undefined) {
      if (this.#program.missingKey !== 'error') return undefined;
      throw this.error(`nil data; no entry for key ${quoteGo(name)}`);
    }
    if (receiver === null) throw this.error(`nil pointer evaluating interface {}.${name}`);
    const hasArguments = call.args.length > 0 || call.final !== MISSING;
    if (receiver instanceof GoStruct) {
      const method = receiver.method(name);
      if (method !== undefined) return this.#invokeFunction(method, name, call);
      const { has, value } = receiver.field(name);
      if (has) {
        if (!hasArguments) return value;
        throw this.error(`${name} has arguments but cannot be invoked as function`);
      }
    } else if (receiver instanceof GoMap) {
      if (hasArguments) throw this.error(`${name} is not a method but has arguments`);
      if (receiver.entries.has(name)) return receiver.entries.get(name);
      const { missingKey } = this.#program;
      if (missingKey === 'zero') return receiver.zero;
      if (missingKey === 'default') return undefined;
      throw this.error(`map has no entry for key ${quoteGo(name)}`);
    }
    throw this.error(`can't evaluate field ${name} in type ${call.type}`);
  }

  async #call(
    operand: Extract<Operand, { kind: 'function' }>,
    call: CallArguments & { readonly place: Place },
  ): Promise<GoValue> {
    this.place = operand;
    const { name } = operand;
    const own = this.#program.functions.get(name);
    if (own === undefined) {
      if (name === 'and' || name === 'or') return this.#shortCircuit(name, call);
      if (name === 'call') return this.#callValue(call);
    }
    const found = own ?? BUILTINS.get(name);
    if (found === undefined) throw this.error(`${quoteGo(name)} is not a defined function`);
    return this.#invokeFunction(found, name, call);
  }

  /** The first argument that decides, or the last one; those behind it are not evaluated. */
  async #shortCircuit(name: 'and' | 'or', { dot, args, final }: CallArguments): Promise<GoValue> {
    if (args.length === 0 && final === MISSING) {
      throw this.error(`wrong number of args for ${name}: want at least 1 got 0`);
    }
    let value: GoValue;
    for (const arg of args) {
      value = await this.#argument(arg, 'any', dot);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return final === MISSING ? value : final;
  }

  /** `call f a b`. */
  async #callValue({
    dot,
    args,
    final,
    place,
  }: CallArguments & { readonly place: Place }): Promise<GoValue> {
    const values: GoValue[] = [];
    for (const arg of args) values.push(await this.#argument(arg, 'any', dot));
    if (final !== MISSING) values.push(final);
    if (values.length === 0) {
      throw this.error('wrong number of args for call: want at least 1 got 0');
    }
    const [callee, ...given] = values;
    const [first] = args;
    const name = first === undefined ? 'value' : printPlace(first);
    this.place = place;
    if (callee === undefined || callee === null)
      throw this.error('error calling call: call of nil');
    if (!(callee instanceof GoFunction)) {
      throw this.error(`error calling call: non-function ${name} of type ${typeOf(callee)}`);
    }
    const { parameters, variadic } = callee;
    const fixed = variadic ? parameters.length - 1 : parameters.length;
    if (variadic ? given.length < fixed : given.length !== fixed) {
      const want = `want ${variadic ? 'at least ' : ''}${fixed}`;
      throw this.error(
        `error calling call: wrong number of args for ${name}: got ${given.length} ${want}`,
      );
    }
    for (const [i, value] of given.entries()) {
      const type = parameters[Math.min(i, parameters.length - 1)] ?? 'any';
      if (fits(value, type)) continue;
      const problem =
        value === undefined || value === null
          ? `value is nil; should be of type ${type}`
          : `value has type ${typeOf(value)}; should be ${type}`;
      throw this.error(`error calling call: arg ${i}: ${problem}`);
    }
    return this.#run(callee, 'call', given, place);
  }

  async #invokeFunction(
    called: GoFunction,
    name: string,
    { dot, args, final, place }: CallArguments & { readonly place: Place },
  ): Promise<GoValue> {
    const { parameters, variadic } = called;
    const count = args.length + (final === MISSING ? 0 : 1);
    const fixed = variadic ? parameters.length - 1 : parameters.length;
    if (variadic && count < fixed) {
      const got = `want at least ${fixed} got ${args.length}`;
      throw this.error(`wrong number of args for ${name}: ${got}`);
    }
    if (!variadic && count !== fixed) {
      throw this.error(`wrong number of args for ${name}: want ${fixed} got ${count}`);
    }
    const typeAt = (i: number): ParameterType =>
      parameters[Math.min(i, parameters.length - 1)] ?? 'any';
    const values: GoValue[] = [];
    for (const [i, arg] of args.entries()) {
      values.push(await this.#argument(arg, typeAt(i), dot));
    }
    if (final !== MISSING) values.push(this.#check(final, typeAt(args.length)));
    return this.#run(called, name, values, place);
  }

  async #run(
    called: GoFunction,
    name: string,
    values: readonly GoValue[],
    place: Place,
  ): Promise<GoValue> {
    try {
      return await called.call(...values);
    } catch (thrown) {
      this.place = place;
      throw this.error(`error calling ${name}: ${errorText(thrown)}`, thrown);
    }
  }

  async #argument(operand: Operand, type: ParameterType, dot: GoValue): Promise<GoValue> {
    this.place = operand;
    const none = { dot, args: [], final: MISSING } as const;
    switch (operand.kind) {
      case 'dot':
        return this.#check(dot, type);
      case 'nil':
        if (type === 'any') return null;
        throw this.error(`cannot assign nil to ${type}`);
      case 'field':
        return this.#check(
          await this.#fields(dot, operand.names, { ...none, place: operand }),
          type,
        );
      case 'variable':
        return this.#check(await this.#variable(operand, none), type);
      case 'pipe':
        return this.#check(await this.pipe(operand, dot), type);
      case 'function':
        return this.#check(await this.#call(operand, { ...none, place: operand }), type);
      case 'chain':
        return this.#check(await this.#chain(operand, none), type);
      case 'boolean':
      case 'string':
      case 'number':
        return this.#literal(operand, type, dot);
    }
  }

  #literal(
    operand: Extract<Operand, { kind: 'boolean' | 'string' | 'number' }>,
    type: ParameterType,
    dot: GoValue,
  ): GoValue {
    if (type === 'any') return this.#constant(operand, dot);
    const isNumber = operand.kind === 'number';
    if (type === 'int' && isNumber && operand.integer !== undefined) return operand.integer;
    if (type === 'float64' && isNumber) return operand.float;
    if (type === 'bool' && operand.kind === 'boolean') return operand.value;
    if (type === 'string' && operand.kind === 'string') return operand.value;
    const expected = { int: 'integer', float64: 'float', bool: 'bool', string: 'string' }[type];
    throw this.error(`expected ${expected}; found ${printPlace(operand)}`);
  }

  /** A value as an argument: what is no value is nil there. */
  #check(value: GoValue, type: ParameterType): GoValue {
    if (fits(value, type)) return value === undefined && type === 'any' ? null : value;
    if (value === undefined) throw this.error(`invalid value; expected ${type}`);
    const got = value === null ? 'interface {}' : typeOf(value);
    throw this.error(`wrong type for value; expected ${type}; got ${got}`);
  }
}

/** What a call gets: its arguments, and the value of the command before. */
interface CallArguments {
  readonly dot: GoValue;
  readonly args: readonly Operand[];
  readonly final: Final;
}

function fits(value: GoValue, type: ParameterType): boolean {
  return type === 'any' || typeOf(value) === type;
}
