/** Which file declares what: names and extensions of FileDescriptorProtos (google/protobuf/descriptor.proto). */
import { bytesFields, numberField, readFields, textField } from './protobuf.ts';

/** Fields of FileDescriptorProto. */
const FILE = { name: 1, package: 2, dependency: 3, message: 4, enum: 5, service: 6, extension: 7 };
/** Fields of DescriptorProto. */
const MESSAGE = { field: 2, nested: 3, enum: 4, extension: 6, oneof: 8 };
/** Fields of FieldDescriptorProto. */
const FIELD = { extendee: 2, number: 3 };
/** All descriptors have their name here; services their methods and enums their values in the next field. */
const NAME = 1;
const MEMBERS = 2;

/** An encoded file. */
export interface DescribedFile {
  readonly bytes: Uint8Array;
  /** Names of the files that it imports. */
  readonly dependencies: readonly string[];
}

/** Files by what they declare; the first one that declares a name counts. */
export class DescriptorIndex {
  readonly #files = new Map<string, DescribedFile>();
  readonly #symbols = new Map<string, string>();
  readonly #messages = new Set<string>();
  /** Files of extensions, by the message that they extend and by number. */
  readonly #extensions = new Map<string, Map<number, string>>();

  /** @throws Error when something is no encoded descriptor. */
  constructor(files: readonly Uint8Array[]) {
    for (const bytes of files) this.#addFile(bytes);
  }

  hasFile(name: string): boolean {
    return this.#files.has(name);
  }

  file(name: string): DescribedFile | undefined {
    return this.#files.get(name);
  }

  /** The file that declares a fully qualified name without a leading dot. */
  fileOfSymbol(name: string): string | undefined {
    return this.#symbols.get(name);
  }

  /** The file that declares an extension of a message. */
  fileOfExtension(message: string, number: number): string | undefined {
    return this.#extensions.get(message)?.get(number);
  }

  /** The numbers of a message's extensions in order; undefined for what is no message. */
  extensionNumbers(message: string): number[] | undefined {
    if (!this.#messages.has(message)) return undefined;
    return [...(this.#extensions.get(message)?.keys() ?? [])].toSorted((a, b) => a - b);
  }

  #addFile(bytes: Uint8Array): void {
    const fields = readFields(bytes);
    const name = textField(fields, FILE.name);
    if (this.#files.has(name)) return;
    const dependencies = bytesFields(fields, FILE.dependency).map((b) => Buffer.from(b).toString());
    this.#files.set(name, { bytes, dependencies });
    const scope = textField(fields, FILE.package);
    for (const message of bytesFields(fields, FILE.message)) this.#addMessage(name, scope, message);
    for (const one of bytesFields(fields, FILE.enum)) this.#addEnum(name, scope, one);
    for (const one of bytesFields(fields, FILE.extension)) this.#addExtension(name, scope, one);
    for (const service of bytesFields(fields, FILE.service)) {
      const inside = this.#addSymbol(name, scope, service);
      for (const method of bytesFields(readFields(service), MEMBERS)) {
        this.#addSymbol(name, inside, method);
      }
    }
  }

  #addMessage(file: string, scope: string, bytes: Uint8Array): void {
    const name = this.#addSymbol(file, scope, bytes);
    this.#messages.add(name);
    const fields = readFields(bytes);
    for (const number of [MESSAGE.field, MESSAGE.oneof]) {
      for (const one of bytesFields(fields, number)) this.#addSymbol(file, name, one);
    }
    for (const one of bytesFields(fields, MESSAGE.nested)) this.#addMessage(file, name, one);
    for (const one of bytesFields(fields, MESSAGE.enum)) this.#addEnum(file, name, one);
    for (const one of bytesFields(fields, MESSAGE.extension)) this.#addExtension(file, name, one);
  }

  /** Values of an enum are named in the scope around it. */
  #addEnum(file: string, scope: string, bytes: Uint8Array): void {
    this.#addSymbol(file, scope, bytes);
    for (const value of bytesFields(readFields(bytes), MEMBERS)) {
      this.#addSymbol(file, scope, value);
    }
  }

  #addExtension(file: string, scope: string, bytes: Uint8Array): void {
    this.#addSymbol(file, scope, bytes);
    const fields = readFields(bytes);
    const message = textField(fields, FIELD.extendee).replace(/^\./, '');
    const byNumber = this.#extensions.get(message) ?? new Map<number, string>();
    this.#extensions.set(message, byNumber.set(numberField(fields, FIELD.number), file));
  }

  #addSymbol(file: string, scope: string, bytes: Uint8Array): string {
    const name = textField(readFields(bytes), NAME);
    const full = scope === '' ? name : `${scope}.${name}`;
    if (!this.#symbols.has(full)) this.#symbols.set(full, file);
    return full;
  }
}
