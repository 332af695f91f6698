/**
 * What a compiled kernel may not contain. Kernels run in many instances over one shared memory and keep their state at
 * an address that they are given, so a mutable global, static data or a start function would be state of its own kind
 * in each instance, or would overwrite bytes that belong to somebody else.
 *
 * Reads the sections of the binary itself (https://webassembly.github.io/spec/core/binary/modules.html).
 */

const HEADER_BYTES = 8;
const CUSTOM = 0;
const IMPORT = 2;
const GLOBAL = 6;
const START = 8;
const DATA = 11;

/** The custom section that holds the digest of what a kernel was built from. */
const DIGEST_SECTION = 'source-digest';

class Reader {
  readonly bytes: Uint8Array;
  pos: number;

  constructor(bytes: Uint8Array, pos = 0) {
    this.bytes = bytes;
    this.pos = pos;
  }

  u8(): number {
    const byte = this.bytes[this.pos++];
    if (byte === undefined) throw new Error('the WebAssembly binary ends early');
    return byte;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  take(length: number): Uint8Array {
    this.pos += length;
    return this.bytes.subarray(this.pos - length, this.pos);
  }

  name(): string {
    return new TextDecoder().decode(this.take(this.u32()));
  }
}

interface Section {
  readonly id: number;
  readonly body: Uint8Array;
}

function sections(wasm: Uint8Array): Section[] {
  const reader = new Reader(wasm, HEADER_BYTES);
  const found: Section[] = [];
  while (reader.pos < wasm.length) {
    const id = reader.u8();
    found.push({ id, body: reader.take(reader.u32()) });
  }
  return found;
}

/** Skips a constant expression: the initial value of a global. */
function skipExpression(reader: Reader): void {
  for (;;) {
    const opcode = reader.u8();
    if (opcode === 0x0b) return; // end
    if (opcode === 0x41 || opcode === 0x42 || opcode === 0x23 || opcode === 0xd2) reader.u32();
    else if (opcode === 0x43) reader.take(4);
    else if (opcode === 0x44) reader.take(8);
    else if (opcode === 0xfd) {
      reader.u32();
      reader.take(16);
    } else if (opcode === 0xd0) reader.u8();
    else throw new Error(`constant expression with opcode 0x${opcode.toString(16)}`);
  }
}

function mutableGlobals(body: Uint8Array): number {
  const reader = new Reader(body);
  let mutable = 0;
  for (let left = reader.u32(); left > 0; left--) {
    reader.u8(); // value type
    mutable += reader.u8();
    skipExpression(reader);
  }
  return mutable;
}

function skipLimits(reader: Reader): void {
  const flags = reader.u8();
  reader.u32();
  if ((flags & 1) === 1) reader.u32();
}

/** Imports that a kernel may not have: everything but its memory and the abort hook. */
function foreignImports(body: Uint8Array): string[] {
  const reader = new Reader(body);
  const foreign: string[] = [];
  for (let left = reader.u32(); left > 0; left--) {
    const name = `${reader.name()}.${reader.name()}`;
    const kind = reader.u8();
    if (kind === 0) reader.u32();
    else if (kind === 2) skipLimits(reader);
    else if (kind === 3) reader.take(2);
    else {
      reader.u8();
      skipLimits(reader);
    }
    if (name !== 'env.memory' && name !== 'env.abort') foreign.push(name);
  }
  return foreign;
}

/** What is wrong with a compiled kernel, one sentence each; empty when it keeps the rules. */
export function kernelProblems(wasm: Uint8Array): string[] {
  const problems: string[] = [];
  for (const { id, body } of sections(wasm)) {
    if (id === GLOBAL) {
      const count = mutableGlobals(body);
      if (count > 0)
        problems.push(`${count} mutable global(s): keep state at an address passed in`);
    } else if (id === DATA) {
      const count = new Reader(body).u32();
      if (count > 0)
        problems.push(`${count} static data segment(s): no arrays, strings or asserts`);
    } else if (id === START) {
      problems.push('a start function: initialise state from the outside');
    } else if (id === IMPORT) {
      for (const name of foreignImports(body)) problems.push(`an import of ${name}`);
    }
  }
  return problems;
}

/** The digest that {@link withDigest} put into a kernel; undefined when there is none. */
export function digestOf(wasm: Uint8Array): string | undefined {
  for (const { id, body } of sections(wasm)) {
    if (id !== CUSTOM) continue;
    const reader = new Reader(body);
    if (reader.name() === DIGEST_SECTION)
      return new TextDecoder().decode(body.subarray(reader.pos));
  }
  return undefined;
}

/** The kernel with a custom section that tells what it was built from. */
export function withDigest(wasm: Uint8Array, digest: string): Uint8Array {
  const encoder = new TextEncoder();
  const name = encoder.encode(DIGEST_SECTION);
  const text = encoder.encode(digest);
  const length = 1 + name.length + text.length;
  if (length > 127) throw new Error('the digest is too long for a one-byte section length');
  return Buffer.concat([wasm, Uint8Array.of(CUSTOM, length, name.length), name, text]);
}
