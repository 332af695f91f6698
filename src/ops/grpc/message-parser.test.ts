import assert from 'node:assert/strict';
import test from 'node:test';
import { compressMessage } from './compression.ts';
import { MessageParser, type ParserOptions } from './message-parser.ts';

/** The bytes of a message by gRPC's description. */
function framed(message: Uint8Array, flag = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function parser(options: Partial<ParserOptions> = {}): MessageParser {
  return new MessageParser({ messageBytesMax: 1 << 20, compression: 'identity', ...options });
}

const texts = ['', 'a', 'hello', '', '', 'x'.repeat(300)];
const stream = Buffer.concat(texts.map((text) => framed(Buffer.from(text))));

test('messages come out of chunks of any size', () => {
  for (let size = 1; size <= stream.length; size++) {
    const out: Uint8Array[] = [];
    const under = parser();
    let bytes = 0;
    for (let at = 0; at < stream.length; at += size) {
      bytes += under.push(stream.subarray(at, at + size), out);
    }
    assert.deepEqual(
      out.map((message) => Buffer.from(message).toString()),
      texts,
    );
    assert.equal(bytes, texts.join('').length);
    assert.equal(under.isInside, false);
  }
});

test('a cut between any two bytes is seen', () => {
  for (let at = 0; at <= stream.length; at++) {
    const out: Uint8Array[] = [];
    const under = parser();
    under.push(stream.subarray(0, at), out);
    const whole = texts.slice(0, out.length).join('').length + 5 * out.length;
    assert.equal(under.isInside, at > whole, `${at}`);
    under.push(stream.subarray(at), out);
    assert.deepEqual(
      out.map((message) => Buffer.from(message).toString()),
      texts,
    );
  }
});

test('messages inside a chunk are not copied', () => {
  const out: Uint8Array[] = [];
  parser().push(stream, out);
  assert.ok(out.every((message) => message.buffer === stream.buffer));
});

test('what a prefix claims is checked before memory is set aside', () => {
  const f = (bytes: number[], message: string, options: Partial<ParserOptions> = {}) => {
    for (const size of [bytes.length, 1]) {
      const under = parser(options);
      assert.throws(
        () => {
          for (let at = 0; at < bytes.length; at += size) {
            under.push(Uint8Array.from(bytes.slice(at, at + size)), []);
          }
        },
        { message },
      );
    }
  };
  const large = 'grpc: received message larger than max';
  f([0, 0xff, 0xff, 0xff, 0xff], `${large} (4294967295 vs. 1048576)`);
  f([0, 0, 16, 0, 1], `${large} (1048577 vs. 1048576)`);
  f([2, 0, 0, 0, 1], 'grpc: received unexpected payload format 2');
  f([1, 0, 0, 0, 0], 'grpc: compressed flag set with identity or empty encoding');
  f(
    [1, 0, 0, 0, 1, 7],
    'grpc: failed to read decompressed data: snappy: corrupt input (offset 0)',
    {
      compression: 'snappy',
    },
  );
});

test('compressed and plain messages of one stream', () => {
  for (const compression of ['gzip', 'snappy'] as const) {
    const packed = compressMessage(compression, Buffer.from('abc'.repeat(100)));
    const bytes = Buffer.concat([
      framed(packed, 1),
      framed(Buffer.from('plain')),
      framed(packed, 1),
    ]);
    const out: Uint8Array[] = [];
    const under = parser({ compression });
    for (const byte of bytes) under.push(Uint8Array.of(byte), out);
    assert.deepEqual(
      out.map((message) => Buffer.from(message).toString()),
      ['abc'.repeat(100), 'plain', 'abc'.repeat(100)],
    );
  }
});
