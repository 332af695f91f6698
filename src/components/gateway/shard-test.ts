/** Which series belong to a shard. Behaviour: thanos pkg/store/storepb/shard_info.go. */
import type { ChunkFramer } from '../../bucket/read/frame-chunks.ts';
import { ByteWriter, eachLabel } from '../../bucket/read/label-bytes.ts';
import type { LabelBytes } from '../../bucket/read/label-bytes.ts';
import type { ShardInfo } from '../../rpc/store/series-request.ts';

/**
 * Whether labels belong to a shard: the hash of `name 0xff value 0xff …`. Undefined when there are no shards; for one caller at a time.
 */
export function shardTest(
  { index, total, by, labels }: ShardInfo,
  framer: ChunkFramer,
): ((one: LabelBytes) => boolean) | undefined {
  if (total < 1) return undefined;
  const names = new Set(labels);
  const writer = new ByteWriter(1024);
  const separator = Uint8Array.of(0xff);
  return (one) => {
    writer.length = 0;
    eachLabel(one, (nameFrom, nameTo, valueFrom, valueTo) => {
      const name = Buffer.from(
        one.bytes.buffer,
        one.bytes.byteOffset + nameFrom,
        nameTo - nameFrom,
      );
      if (names.has(name.toString()) !== by) return;
      writer.append(one.bytes, nameFrom, nameTo);
      writer.append(separator);
      writer.append(one.bytes, valueFrom, valueTo);
      writer.append(separator);
    });
    const bytes = writer.bytes.subarray(0, writer.length);
    return framer.shard(bytes, total) === index;
  };
}
