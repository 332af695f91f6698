/** The tree of a template, and how its parts are printed in messages: as Go's text/template/parse prints them. */

/** A part of a template's text, in order. */
export type TemplateNode =
  | TextNode
  | ActionNode
  | BranchNode
  | RangeNode
  | InvokeNode
  | { readonly kind: 'break' }
  | { readonly kind: 'continue' };

/** What stands between actions. */
export interface TextNode {
  readonly kind: 'text';
  readonly text: string;
}

/** `{{pipeline}}`. */
export interface ActionNode {
  readonly kind: 'action';
  readonly at: number;
  readonly pipe: Pipe;
}

/** `{{if}}` and `{{with}}`. */
export interface BranchNode {
  readonly kind: 'if' | 'with';
  readonly pipe: Pipe;
  readonly body: readonly TemplateNode[];
  readonly otherwise: readonly TemplateNode[] | undefined;
}

/** `{{range}}`. */
export interface RangeNode {
  readonly kind: 'range';
  readonly pipe: Pipe;
  readonly body: readonly TemplateNode[];
  readonly otherwise: readonly TemplateNode[] | undefined;
}

/** `{{template "name" pipeline}}`. */
export interface InvokeNode {
  readonly kind: 'template';
  readonly at: number;
  readonly name: string;
  readonly pipe: Pipe | undefined;
}

/** Commands, each of which gets the value of the one before as its last argument. */
export interface Pipe {
  readonly kind: 'pipe';
  readonly at: number;
  /** Variables that get the value. */
  readonly variables: readonly VariableOperand[];
  /** They are there already: `=` instead of `:=`. */
  readonly assigns: boolean;
  readonly commands: readonly Command[];
}

/** An operand and its arguments. */
export interface Command {
  readonly kind: 'command';
  readonly at: number;
  readonly operands: readonly [Operand, ...Operand[]];
}

/** A value, or what gives one. */
export type Operand =
  | FieldOperand
  | VariableOperand
  | ChainOperand
  | FunctionOperand
  | NumberOperand
  | StringOperand
  | Pipe
  | { readonly kind: 'boolean'; readonly at: number; readonly value: boolean }
  | { readonly kind: 'dot'; readonly at: number }
  | { readonly kind: 'nil'; readonly at: number };

/** `.a.b`. */
export interface FieldOperand {
  readonly kind: 'field';
  readonly at: number;
  readonly names: readonly string[];
}

/** `$x.a.b`: the name with its dollar, and fields. */
export interface VariableOperand {
  readonly kind: 'variable';
  readonly at: number;
  readonly name: string;
  readonly fields: readonly string[];
}

/** `(pipeline).a.b`, or a function without arguments in place of the pipeline. */
export interface ChainOperand {
  readonly kind: 'chain';
  readonly at: number;
  readonly base: Pipe | FunctionOperand;
  readonly names: readonly string[];
}

/** A function by name. */
export interface FunctionOperand {
  readonly kind: 'function';
  readonly at: number;
  readonly name: string;
}

/** A constant: what it is as an integer and as a float. */
export interface NumberOperand {
  readonly kind: 'number';
  readonly at: number;
  readonly text: string;
  /** Undefined when it is not whole. */
  readonly integer: bigint | undefined;
  readonly float: number;
  /** Where nothing says which of the two is meant. */
  readonly isFloat: boolean;
}

/** A text. */
export interface StringOperand {
  readonly kind: 'string';
  readonly at: number;
  /** With its quotes. */
  readonly literal: string;
  readonly value: string;
}

/** What can be named as the place of an error. */
export type Place = Operand | Command | ActionNode | InvokeNode;

/** A place as messages show it. */
export function printPlace(place: Place): string {
  switch (place.kind) {
    case 'action':
      return `{{${printPlace(place.pipe)}}}`;
    case 'template': {
      const pipe = place.pipe === undefined ? '' : ` ${printPlace(place.pipe)}`;
      return `{{template ${JSON.stringify(place.name)}${pipe}}}`;
    }
    case 'pipe':
      return printPipe(place);
    case 'command':
      return printCommand(place);
    case 'field':
      return place.names.map((name) => `.${name}`).join('');
    case 'variable':
      return [place.name, ...place.fields].join('.');
    case 'chain': {
      const base = place.base.kind === 'pipe' ? `(${printPipe(place.base)})` : place.base.name;
      return [base, ...place.names].join('.');
    }
    case 'function':
      return place.name;
    case 'number':
      return place.text;
    case 'string':
      return place.literal;
    case 'boolean':
      return String(place.value);
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
  }
}

function printPipe({ variables, assigns, commands }: Pipe): string {
  const names = variables.map(printPlace).join(', ');
  const prefix = variables.length === 0 ? '' : `${names} ${assigns ? '=' : ':='} `;
  return prefix + commands.map(printCommand).join(' | ');
}

function printCommand({ operands }: Command): string {
  return operands
    .map((operand) => (operand.kind === 'pipe' ? `(${printPipe(operand)})` : printPlace(operand)))
    .join(' ');
}
