/**
 * The file operations that durability depends on, as an interface: the write path goes through it, so that a crash
 * test can put a layer underneath that forgets whatever was not fsynced. Synchronous on purpose: it runs in ingest
 * workers, never on the main thread.
 */
import * as fs from 'node:fs';

/** Files open for writing at explicit offsets; errors are Node's system errors (`code` ENOSPC, EIO, …). */
export interface FileLayer {
  /** Opens a file for reading and writing; `create` makes it, and fails when it exists. Answers a descriptor. */
  open(path: string, create: boolean): number;
  /** Writes all bytes at an offset; on an error some of them may have reached the file. */
  write(fd: number, bytes: Uint8Array, offset: number): void;
  /** Makes content and size durable. After an error the file must not be trusted, nor fsynced again. */
  fsync(fd: number): void;
  /** Makes the entries of a directory durable. */
  fsyncDirectory(path: string): void;
  truncate(fd: number, size: number): void;
  size(fd: number): number;
  close(fd: number): void;
  /** Makes a directory and those above it; one that exists is no error. */
  makeDirectory(path: string): void;
  /** Gives a file or directory another name, in place of a file of that name. Durable after an fsync of the directory. */
  rename(from: string, to: string): void;
  /** Removes a file, or a directory with all that is in it; nothing of that name is no error. */
  remove(path: string): void;
}

/** The operating system's files. */
export const systemFiles: FileLayer = {
  open: (path, create) => fs.openSync(path, create ? 'wx+' : 'r+', 0o666),
  write: (fd, bytes, offset) => {
    for (let done = 0; done < bytes.length;) {
      done += fs.writeSync(fd, bytes, done, bytes.length - done, offset + done);
    }
  },
  fsync: (fd) => fs.fdatasyncSync(fd),
  fsyncDirectory: (path) => {
    const fd = fs.openSync(path, 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  },
  truncate: (fd, size) => fs.ftruncateSync(fd, size),
  size: (fd) => fs.fstatSync(fd).size,
  close: (fd) => fs.closeSync(fd),
  makeDirectory: (path) => {
    fs.mkdirSync(path, { recursive: true });
  },
  rename: (from, to) => fs.renameSync(from, to),
  remove: (path) => fs.rmSync(path, { recursive: true, force: true }),
};
