/** Label sets of messages and the model's. */
import { create } from '@bufbuild/protobuf';
import type { Label, ZLabelSet } from '../gen/labels_pb.ts';
import { LabelSchema, ZLabelSetSchema } from '../gen/labels_pb.ts';
import { Labels } from '../model/labels.ts';

/** The labels of a message, in any order there. */
export function labelsOf(set: { readonly labels: readonly Label[] } | undefined): Labels {
  return Labels.fromPairs((set?.labels ?? []).map(({ name, value }) => [name, value]));
}

/** The message of a label set. */
export function labelSetMessage(labels: Labels): ZLabelSet {
  return create(ZLabelSetSchema, {
    labels: [...labels].map(([name, value]) => create(LabelSchema, { name, value })),
  });
}
