/** Node's name for its version stands where Go programs say which Go built them. */
export const RUNTIME_VERSION = `node${process.versions.node}`;
