/** The part of the WebAssembly API that we use: Node has it, but only DOM typings declare it. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  class Instance {
    constructor(module: Module, imports: { env: Record<string, unknown> });
    readonly exports: Record<string, unknown>;
  }
}
